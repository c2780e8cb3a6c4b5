import fc from 'fast-check';
import { expect, test } from 'vitest';
import { partsFor, smallerParts } from '../../../src/core/sharing/told-changes.ts';
import { exportKey, type ToldExport } from '../../../src/core/sharing/told-export.ts';
import { told } from './sharing-fixture.ts';

const BOUNDS = { count: 3, chars: 100_000, values: 10_000 };
const wanting = (all: readonly ToldExport[]) =>
  new Map(all.map((one) => [exportKey(one), { told: one, text: JSON.stringify(one) }]));
const texts = (all: readonly ToldExport[]) => new Map(all.map((one) => [exportKey(one), JSON.stringify(one)]));
const named = (...names: string[]) => names.map((name) => told({ name }));

test('a member that knows nothing is told where the whole begins and ends, also where there is nothing', () => {
  expect(partsFor(undefined, wanting([]), BOUNDS)).toEqual([{ begins: true, ends: true, exports: [] }]);
  const parts = partsFor(undefined, wanting(named('a', 'b', 'c', 'd')), BOUNDS);
  expect(parts.map(({ exports, begins, ends }) => [exports.length, begins, ends])).toEqual([
    [3, true, undefined],
    [1, undefined, true],
  ]);
});

test('a member that knows all is told nothing', () => {
  expect(partsFor(texts(named('a')), wanting(named('a')), BOUNDS)).toEqual([]);
});

test('a member is told what changed and what is gone, and no more', () => {
  const changed = told({ name: 'b', since: 5 });
  expect(partsFor(texts(named('a', 'b', 'c')), wanting([told({ name: 'a' }), changed]), BOUNDS)).toEqual([
    { exports: [changed], gone: [{ namespace: 'shop', name: 'c' }] },
  ]);
});

test('an export that is longer than a part travels alone', () => {
  const long = told({ name: 'b', annotations: { x: 'y'.repeat(900) } });
  const parts = partsFor(undefined, wanting([told({ name: 'a' }), long, told({ name: 'c' })]), {
    count: 9,
    chars: 700,
    values: 10_000,
  });
  expect(parts.map(({ exports }) => exports.map(({ name }) => name))).toEqual([['a'], ['b'], ['c']]);
});

test('no part has more values than its reader takes', () => {
  const all = named('a', 'b', 'c', 'd');
  const parts = partsFor(undefined, wanting(all), { count: 9, chars: 100_000, values: 100 });
  for (const { exports } of parts) expect(JSON.stringify(exports).match(/[,:{[]/g)?.length).toBeLessThan(110);
  expect(parts.flatMap(({ exports }) => exports)).toEqual(all);
  expect(parts.length).toBeGreaterThan(1);
});

test('what cannot be read is found by halves, and only that is left out', () => {
  const gone = [{ namespace: 'shop', name: 'z' }];
  const [a, b, c] = named('a', 'b', 'c') as [ToldExport, ToldExport, ToldExport];
  expect(smallerParts({ begins: true, ends: true, exports: [a, b, c], gone })).toEqual([
    { begins: true, exports: [], gone },
    { exports: [a, b] },
    { exports: [c] },
    { ends: true, exports: [] },
  ]);
  expect(smallerParts({ exports: [a] })).toEqual([{ exports: [], gone: [{ namespace: 'shop', name: 'a' }] }]);
});

test('whoever follows the parts knows what is wanted', () => {
  const some = fc.uniqueArray(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd', 'e'), since: fc.nat(2) }), {
    selector: ({ name }) => name,
  });
  fc.assert(
    fc.property(some, some, fc.boolean(), (before, after, isNew) => {
      const known = isNew ? undefined : texts(before.map((one) => told(one)));
      const wanted = wanting(after.map((one) => told(one)));
      const followed = new Map(known);
      for (const part of partsFor(known, wanted, BOUNDS)) {
        for (const one of part.gone ?? []) followed.delete(exportKey(one));
        for (const one of part.exports) followed.set(exportKey(one), JSON.stringify(one));
      }
      expect(new Map([...followed].sort())).toEqual(
        texts([...after].map((one) => told(one)).sort((a, b) => (a.name < b.name ? -1 : 1))),
      );
    }),
  );
});
