/** What tests of CRDs read of their schemas. */
export interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
  required?: string[];
  enum?: unknown[];
  pattern?: string;
  format?: string;
  nullable?: boolean;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
}

const LOWER_BOUNDS = ['minimum', 'minLength', 'minItems'] as const;
const UPPER_BOUNDS = ['maximum', 'maxLength', 'maxItems', 'maxProperties'] as const;

/** Why objects of an older schema may not fit a newer one, each with the path of the field; none when it only adds. */
export function narrowings(older: Schema, newer: Schema | undefined, path = ''): string[] {
  if (newer === undefined) return [`${path} is gone`];
  const found: string[] = [];
  if (older.type !== newer.type) found.push(`${path} was a ${older.type} and is a ${newer.type}`);
  if (older.nullable === true && newer.nullable !== true) found.push(`${path} cannot be null any more`);
  if (newer.enum?.some(() => older.enum === undefined)) found.push(`${path} takes certain values only`);
  for (const value of older.enum ?? [])
    if (newer.enum?.includes(value) === false) found.push(`${path} does not take ${value} any more`);
  for (const name of newer.required ?? [])
    if (older.required?.includes(name) !== true) found.push(`${path}.${name} is now required`);
  if (newer.pattern !== undefined && newer.pattern !== older.pattern) found.push(`${path} has another pattern`);
  if (newer.format !== undefined && newer.format !== older.format) found.push(`${path} has another format`);
  for (const bound of LOWER_BOUNDS)
    if ((newer[bound] ?? -Infinity) > (older[bound] ?? -Infinity)) found.push(`${path} has a higher ${bound}`);
  for (const bound of UPPER_BOUNDS)
    if ((newer[bound] ?? Infinity) < (older[bound] ?? Infinity)) found.push(`${path} has a lower ${bound}`);
  const keeps = 'x-kubernetes-preserve-unknown-fields' as const;
  if (older[keeps] === true && newer[keeps] !== true) found.push(`${path} loses unknown fields`);
  for (const [name, schema] of Object.entries(older.properties ?? {}))
    found.push(...narrowings(schema, newer.properties?.[name], `${path}.${name}`));
  if (older.items !== undefined) found.push(...narrowings(older.items, newer.items, `${path}[]`));
  if (older.additionalProperties !== undefined)
    found.push(...narrowings(older.additionalProperties, newer.additionalProperties, `${path}{}`));
  return found;
}

/** Paths of the fields that a schema has and an object has not. */
export function missingFields(schema: Schema, value: unknown, path = ''): string[] {
  if (value === undefined) return [path];
  if (schema.items !== undefined) return missingFields(schema.items, (value as unknown[])[0], `${path}[]`);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    missingFields(field, (value as Record<string, unknown>)[name], `${path}.${name}`),
  );
}
