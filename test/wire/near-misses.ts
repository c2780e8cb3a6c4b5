import fc, { type Arbitrary } from 'fast-check';
import type { TSchema } from 'typebox';

interface JsonSchema {
  type?: string;
  const?: unknown;
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
}

/** JSON that nobody would say. */
export const anyJson: Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(
    null,
    0,
    '',
    [],
    {},
    true,
    1e300,
    -1,
    { toString: 1 },
    { length: 3 },
    [[]],
    JSON.parse('{"__proto__":{"x":1}}'),
  ),
);

const TEXTS = [
  'u1',
  'web-0',
  'room',
  '-1',
  '1e30000000',
  '../..',
  'a\nb',
  '\u0000',
  '\u{1F600}',
  'x'.repeat(5_000),
  '1Gi',
  'Running',
];
const NUMBERS = [0, -1, 1, 0.5, 1e300, -1e300, Number.MAX_SAFE_INTEGER, 2 ** 53, 3, 65_536];

/** Something like what a schema says: here and there something else, or nothing. */
export function nearMiss(schema: TSchema): Arbitrary<unknown> {
  return fc.oneof({ weight: 8, arbitrary: shaped(schema as JsonSchema) }, { weight: 1, arbitrary: anyJson });
}

function shaped(schema: JsonSchema): Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(nearMiss));
  if (schema.properties !== undefined) {
    const fields = Object.entries(schema.properties).map(([name, field]) => [name, nearMiss(field)] as const);
    return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
  }
  if (schema.type === 'array') return fc.array(nearMiss(schema.items ?? {}), { maxLength: 3 });
  if (schema.type === 'object')
    return fc.dictionary(fc.constantFrom('a', 'cpu', 'a\nb', '__proto__'), anyJson, { maxKeys: 3 });
  if (schema.type === 'string') return fc.oneof(fc.constantFrom(...TEXTS), fc.string());
  if (schema.type === 'boolean') return fc.boolean();
  return fc.oneof(fc.constantFrom(...NUMBERS), fc.integer());
}
