import { expect, test } from 'vitest';
import { KnownExports } from '../../../src/agent/sharing/known-exports.ts';
import type { ToldExport } from '../../../src/core/sharing/told-export.ts';
import { A, B, endpoint, tcp, told } from '../../core/sharing/sharing-fixture.ts';

function start(limits = { services: 3, endpoints: 4 }) {
  let now = 0;
  const known = new KnownExports({ monotonic: () => now }, () => limits);
  const changes: string[] = [];
  known.onChange((key) => changes.push(key));
  return {
    known,
    /** What was told of since the last time. */
    changes: () => changes.splice(0),
    pass: (ms: number) => {
      now += ms;
    },
  };
}

const named = (...names: string[]): ToldExport[] => names.map((name) => told({ name }));
const withEndpoints = (name: string, count: number): ToldExport =>
  told({
    name,
    endpoints: [
      { ports: [tcp(80)], endpoints: Array.from({ length: count }, (_, i) => endpoint(`100.64.1.${i + 1}`)) },
    ],
  });

test('what a member exports is known until it says that it is gone', () => {
  const { known, changes } = start();
  known.take(A, { exports: named('web') });
  expect(known.of('shop/web').map(([cluster]) => cluster)).toEqual([A]);
  known.take(A, { exports: [], gone: [{ namespace: 'shop', name: 'web' }] });
  expect(known.of('shop/web')).toEqual([]);
  expect(changes()).toEqual(['shop/web', 'shop/web']);
});

test('a member has told all at the end of the whole, and what it did not tell again is gone', () => {
  const { known, changes } = start();
  known.take(A, { begins: true, exports: named('a', 'b') });
  expect(known.isComplete(A)).toBe(false);
  known.take(A, { ends: true, exports: named('c') });
  expect(known.isComplete(A)).toBe(true);
  changes();
  known.take(A, { begins: true, ends: true, exports: named('b') });
  expect(known.keys(A)).toEqual(['shop/b']);
  expect(changes()).toEqual(['shop/a', 'shop/c']);
});

test('nothing goes while a member is half through telling all anew', () => {
  const { known } = start();
  known.take(A, { begins: true, ends: true, exports: named('a', 'b') });
  known.take(A, { begins: true, exports: named('b') });
  expect(known.keys(A)).toEqual(['shop/a', 'shop/b']);
});

test('members know nothing of each other: none ends what another exports', () => {
  const { known } = start();
  known.take(A, { exports: named('web') });
  known.take(B, { begins: true, ends: true, exports: [], gone: [{ namespace: 'shop', name: 'web' }] });
  expect(known.of('shop/web').map(([cluster]) => cluster)).toEqual([A]);
  known.forget(B);
  expect(known.keys()).toEqual(['shop/web']);
});

test('one member has no more exports and endpoints here than its limit, and says which setting that is', () => {
  const { known } = start();
  const refused = known.take(A, { exports: named('a', 'b', 'c', 'd') });
  expect(refused).toMatchObject([
    { name: 'd', reason: 'TooMany', message: expect.stringContaining('perMember.services') },
  ]);
  expect(known.take(B, { exports: [withEndpoints('a', 3), withEndpoints('b', 2)] })).toMatchObject([
    { name: 'b', message: expect.stringContaining('perMember.endpoints') },
  ]);
  known.take(B, { exports: [], gone: [{ namespace: 'shop', name: 'a' }] });
  expect(known.take(B, { exports: [withEndpoints('b', 4)] })).toEqual([]);
});

test('one member has no more than 4 MiB here, whatever its exports are full of', () => {
  const { known } = start({ services: 1_000, endpoints: 20_000 });
  const ports = Array.from({ length: 100 }, (_, i) => ({ ...tcp(i + 1), appProtocol: 'x'.repeat(320) }));
  const full = (name: string, count: number): ToldExport =>
    told({
      name,
      endpoints: Array.from({ length: count }, () => ({ ports, endpoints: [endpoint('100.64.1.1')] })),
    });
  const refused = known.take(A, { exports: ['a', 'b', 'c'].map((name) => full(name, 50)) });
  expect(refused).toMatchObject([{ name: 'c', reason: 'TooMany', message: expect.stringContaining('4 MiB') }]);
  expect(known.take(B, { exports: [full('a', 50)] })).toEqual([]);
  known.take(A, { exports: [], gone: [{ namespace: 'shop', name: 'a' }] });
  expect(known.take(A, { exports: [full('c', 50)] })).toEqual([]);
});

test('ports without endpoints are not kept, and cost nothing when they are told again', () => {
  const { known, changes } = start();
  const empty = told({ endpoints: Array.from({ length: 100 }, (_, i) => ({ ports: [tcp(i + 1)], endpoints: [] })) });
  known.take(A, { exports: [empty] });
  expect(known.of('shop/web')).toEqual([[A, told()]]);
  changes();
  known.take(A, { exports: [empty] });
  expect(changes()).toEqual([]);
});

test('an export that grew over the limit is not kept as it was before', () => {
  const { known } = start();
  known.take(A, { exports: [withEndpoints('a', 3)] });
  expect(known.take(A, { exports: [withEndpoints('a', 5)] })).toHaveLength(1);
  expect(known.of('shop/a')).toEqual([]);
});

test('a member that changes its exports all the time is told to wait, and others are not', () => {
  const { known, pass } = start({ services: 5_000, endpoints: 5_000 });
  const round = (since: number) =>
    known.take(A, { exports: Array.from({ length: 200 }, (_, i) => told({ name: `w${i}`, since })) });
  expect(() => {
    for (let since = 1; since <= 20; since += 1) round(since);
  }).toThrow(/faster than 50 times a second/);
  expect(known.take(B, { exports: named('web') })).toEqual([]);
  pass(60_000);
  expect(round(99)).toEqual([]);
});

test('what is told again as it was costs nothing and changes nothing', () => {
  const { known, changes } = start({ services: 5_000, endpoints: 5_000 });
  const all = Array.from({ length: 200 }, (_, i) => told({ name: `w${i}` }));
  known.take(A, { begins: true, ends: true, exports: all });
  changes();
  for (let round = 0; round < 50; round += 1) known.take(A, { begins: true, ends: true, exports: all });
  expect(changes()).toEqual([]);
});
