import { expect, test } from 'vitest';
import { toOwnExport } from '../../../src/core/sharing/to-told-export.ts';
import { problemOf } from '../../../src/wire/check.ts';
import { ExportsUpdate } from '../../../src/wire/export-schemas.ts';

const service = { metadata: { namespace: 'shop', name: 'web' }, spec: { ports: [{ name: 'http', port: 80 }] } };
const around = { slices: [], pod: () => undefined, isOffloaded: () => false, toImage: () => undefined };

const toldWith = (spec: object) => {
  const own = toOwnExport({ metadata: { namespace: 'shop', name: 'web' }, spec }, service, around);
  if ('invalid' in own) throw new Error(own.invalid.message);
  return own.told;
};

test('labels and annotations that are none do not keep members from reading what is told', () => {
  const odd = { 'a b': 'x', 'has/two/slashes': 'x', '-.-/a': 'x', ['k'.repeat(64)]: 'x' };
  const told = toldWith({
    exportedLabels: { ...odd, a: 'has space', b: 'v'.repeat(64), tier: 'x' },
    exportedAnnotations: { ...odd, note: 'has space' },
  });
  expect(told.labels).toEqual({ tier: 'x' });
  expect(told.annotations).toEqual({ note: 'has space' });
  expect(problemOf(ExportsUpdate, { exports: [told] })).toBeUndefined();
});
