import { afterEach, expect, test, vi } from 'vitest';
import type { PeerLink, PeerLinks } from '../../../src/agent/ports.ts';
import { ExportTeller } from '../../../src/agent/sharing/export-teller.ts';
import { CodedError } from '../../../src/core/coded-error.ts';
import type { ExportsPart } from '../../../src/core/sharing/told-changes.ts';
import { exportKey, type ToldExport } from '../../../src/core/sharing/told-export.ts';
import { systemClock as clock } from '../../../src/runtime/clock.ts';
import { silentLogger as logger } from '../../../src/runtime/logger.ts';
import { B, told } from '../../core/sharing/sharing-fixture.ts';

let ended = new AbortController();
afterEach(() => ended.abort());

/** A peer that cannot read `unreadable`, and takes no `unwanted`. */
function start(exports: ToldExport[], { unreadable = '', unwanted = '' }) {
  ended = new AbortController();
  const known = new Map<string, ToldExport>();
  const heard: ((id: string, change: 'pods' | 'removed') => void)[] = [];
  let ends = 0;
  const link = {
    ...{ id: B, name: 'b', state: 'Connected', podsSynced: true, speaks: () => true },
    call: async (_name: string, { body }: { body: ExportsPart }) => {
      if (body.exports.some(({ name }) => name === unreadable)) throw new CodedError('InvalidArgument', 'b: no label');
      for (const one of body.exports) if (one.name !== unwanted) known.set(exportKey(one), one);
      for (const one of body.gone ?? []) known.delete(exportKey(one));
      if (body.ends) ends += 1;
      const refused = body.exports.filter(({ name }) => name === unwanted);
      return { refused: refused.map(({ namespace, name }) => ({ namespace, name, reason: 'x', message: 'full' })) };
    },
  } as unknown as PeerLink;
  const links: PeerLinks = {
    synced: true,
    get: () => link,
    list: () => [link],
    onChange: (listener) => void heard.push(listener),
  };
  const own = { synced: true, told: () => exports, onChange: () => {} };
  const teller = new ExportTeller({ own, mayTell: () => true, links, clock, logger });
  const problems: string[] = [];
  teller.onProblem((key) => problems.push(key));
  void teller.run(ended.signal);
  const say = (change: 'pods' | 'removed'): void => {
    for (const listener of heard) listener(B, change);
  };
  say('pods');
  return { teller, known, problems, say, ends: () => ends };
}

const named = (...names: string[]): ToldExport[] => names.map((name) => told({ name }));

test('an export that a peer cannot read keeps none of the others from it, and says so', async () => {
  const { teller, known, ends } = start(named('a', 'bad', 'c', 'd', 'e'), { unreadable: 'bad' });
  await vi.waitFor(() => expect(ends()).toBe(1));
  expect([...known.keys()].sort()).toEqual(['shop/a', 'shop/c', 'shop/d', 'shop/e']);
  await vi.waitFor(() => expect(teller.problemOf('shop/bad')).toContain('b does not take it: b: no label'));
  expect(teller.problemOf('shop/a')).toBeUndefined();
});

test('what a peer refused is no problem any more when the peer is no member, and is told so', async () => {
  const { teller, problems, say } = start(named('a', 'b'), { unwanted: 'b' });
  await vi.waitFor(() => expect(teller.problemOf('shop/b')).toBe('b does not take it: full'));
  problems.length = 0;
  say('removed');
  expect(teller.problemOf('shop/b')).toBeUndefined();
  expect(problems).toEqual(['shop/b']);
});

test('what a peer refused is no problem any more when it is exported no more', async () => {
  const exports = named('a', 'b');
  const { teller } = start(exports, { unwanted: 'b' });
  await vi.waitFor(() => expect(teller.problemOf('shop/b')).toBeDefined());
  exports.pop();
  teller.lookAgain();
  await vi.waitFor(() => expect(teller.problemOf('shop/b')).toBeUndefined());
});
