import fc from 'fast-check';

/** Values at and beyond every limit, and how a valid value of a schema is made into a hostile one. */

/** The parts of a JSON schema that definitions of the wire have. */
export interface Schema {
  type?: string;
  const?: unknown;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  patternProperties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  anyOf?: Schema[];
  allOf?: Schema[];
}

/** A value that the schema allows; of what may be left out everything is there. */
export function sampleOf(schema: Schema, seed = 1): unknown {
  if ('const' in schema) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.allOf !== undefined) return Object.assign({}, ...schema.allOf.map((one) => sampleOf(one, seed)));
  if (schema.anyOf !== undefined) {
    const best = schema.anyOf.find(({ type }) => type === 'object' || type === 'array') ?? schema.anyOf.at(-1);
    return sampleOf(best ?? {}, seed);
  }
  switch (schema.type) {
    case 'object': {
      const properties = Object.entries(schema.properties ?? {});
      return Object.fromEntries(properties.map(([name, one]) => [name, sampleOf(one, seed)]));
    }
    case 'array':
      return schema.maxItems === 0 ? [] : [sampleOf(schema.items ?? {}, seed)];
    case 'string':
      return textOf(schema, seed);
    case 'integer':
    case 'number':
      return schema.minimum ?? 1;
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return {};
  }
}

function textOf({ pattern, minLength = 1, maxLength = 4_096 }: Schema, seed: number): string {
  if (pattern === undefined) return 'x'.repeat(Math.max(1, minLength));
  const matching = fc.sample(fc.stringMatching(new RegExp(pattern)), { numRuns: 100, seed });
  return matching.find((text) => text.length <= maxLength && text.length >= minLength) ?? 'x';
}

/** A JSON text of anything: numbers, names and nesting that no value of JavaScript has. */
export interface Raw {
  what: string;
  json: string;
}

const value = (what: string, one: unknown): Raw => ({ what, json: JSON.stringify(one) });
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

/** What any field may be instead of what it should. @param bytes about so many of them at most */
export function hostileValues(sample: unknown, bytes: number): Raw[] {
  const many = Math.max(1, Math.floor(bytes / (JSON.stringify(sample ?? null).length + 1)));
  const copies = `[${Array.from({ length: Math.min(many, 200_000) }, () => JSON.stringify(sample ?? null)).join()}]`;
  const names = Array.from({ length: Math.min(Math.floor(bytes / 16), 100_000) }, (_, i) => `"k${i}":"1e9999999"`);
  return [
    value('nothing', null),
    value('an empty text', ''),
    value('a long text', 'x'.repeat(bytes)),
    value('a long text of controls', '\u001b'.repeat(Math.floor(bytes / 6))),
    value('a long number as a text', '9'.repeat(bytes)),
    value('an exponent', '1e30000000'),
    value('a negative exponent', '1e-30000000'),
    value('a time far away', '+275760-09-13T00:00:00.000Z'),
    value('text for a terminal', '\u001b]52;c;ZXZpbA==\u0007\u202e\u0000\ud800'),
    value('a path', '../../../../etc/passwd'),
    value('an address of the node', '127.0.0.1:6443'),
    value('minus one', -1),
    { what: 'a number beyond all', json: '1e999' },
    { what: 'a number of many digits', json: '9'.repeat(Math.min(bytes, 100_000)) },
    value('a fraction', 0.5),
    value('true', true),
    value('an empty list', []),
    { what: 'many of it', json: copies },
    { what: 'many names', json: `{${names.join()}}` },
    { what: 'nesting', json: nested(Math.min(Math.floor(bytes / 2), 200_000)) },
    { what: 'a prototype', json: '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}' },
  ];
}

/** The places in a value, as paths; the value as a whole is the first. */
export function placesIn(one: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof one !== 'object' || one === null) return [path];
  return [path, ...Object.entries(one).flatMap(([name, inner]) => placesIn(inner, [...path, name]))];
}

/** The JSON of `one` with `json` in a place of it. */
export function withAt(one: unknown, path: readonly (string | number)[], json: string): string {
  const [name, ...rest] = path;
  if (name === undefined) return json;
  const entries = Object.entries(one as object).map(([key, inner]) => {
    const text = key === String(name) ? withAt(inner, rest, json) : JSON.stringify(inner);
    return Array.isArray(one) ? text : `${JSON.stringify(key)}:${text}`;
  });
  return Array.isArray(one) ? `[${entries.join()}]` : `{${entries.join()}}`;
}

export function valueAt(one: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], one);
}
