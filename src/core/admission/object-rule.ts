/**
 * A rule about an object, said once for two judges: as a CEL expression for the API server's admission policies, and as a function
 * for the webhook of API servers without them. Paths are fields joined by dots.
 */
export type ObjectRule =
  | { kind: 'all'; rules: readonly ObjectRule[] }
  | { kind: 'any'; rules: readonly ObjectRule[] }
  /** The field is there. */
  | { kind: 'has'; path: string }
  /** The field is missing, or has one of these values; a text that is missing counts as empty. */
  | { kind: 'among'; path: string; values: readonly string[] }
  /** The field is missing, or has none of these values. */
  | { kind: 'not-among'; path: string; values: readonly string[] }
  /** The field is missing, false, zero, or an empty list. */
  | { kind: 'unset'; path: string; type: 'boolean' | 'number' | 'list' | 'text' }
  /** Each object of these lists; what follows speaks of one of them. */
  | { kind: 'each'; paths: readonly string[]; of: ObjectRule }
  /** Each text of a list is one of these. */
  | { kind: 'each-among'; path: string; values: readonly string[] }
  /** Each value of a map whose key begins so is one of these. */
  | { kind: 'values-among'; path: string; prefix: string; values: readonly string[] };

/** @param name of the variable that holds the object */
export function toCel(rule: ObjectRule, name: string, depth = 0): string {
  const at = (path: string, otherwise: string): string => `${optional(name, path)}.orValue(${otherwise})`;
  switch (rule.kind) {
    case 'all':
      return rule.rules.map((one) => parenthesised(one, name, depth)).join(' && ');
    case 'any':
      return rule.rules.map((one) => parenthesised(one, name, depth)).join(' || ');
    case 'has':
      return `has(${name}.${rule.path})`;
    case 'among':
      return `${at(rule.path, "''")} in ${list(['', ...rule.values])}`;
    case 'not-among':
      return `!(${at(rule.path, "''")} in ${list(rule.values)})`;
    case 'unset':
      return unsetCel(rule.type, at);
    case 'each': {
      const item = ITEMS[depth] ?? `x${depth}`;
      const lists = rule.paths.map((path) => at(path, '[]'));
      const all = lists.length === 1 ? lists.join() : `(${lists.join(' + ')})`;
      return `${all}.all(${item}, ${toCel(rule.of, item, depth + 1)})`;
    }
    case 'each-among':
      return `${at(rule.path, '[]')}.all(k, k in ${list(rule.values)})`;
    case 'values-among': {
      const map = at(rule.path, '{}');
      return `${map}.all(k, !k.startsWith('${rule.prefix}') || ${map}[k] in ${list(['', ...rule.values])})`;
    }
  }

  function unsetCel(type: Extract<ObjectRule, { kind: 'unset' }>['type'], field: typeof at): string {
    const { path } = rule as Extract<ObjectRule, { kind: 'unset' }>;
    switch (type) {
      case 'boolean':
        return `!${field(path, 'false')}`;
      case 'number':
        return `${field(path, '0')} == 0`;
      case 'list':
        return `${field(path, '[]')}.size() == 0`;
      case 'text':
        return `${field(path, "''")} == ''`;
    }
  }
}

const ITEMS = ['c', 's', 'x'];

function parenthesised(rule: ObjectRule, name: string, depth: number): string {
  const text = toCel(rule, name, depth);
  return rule.kind === 'any' && rule.rules.length > 1 ? `(${text})` : text;
}

/** `object.spec.?a.b`: what follows the first optional field is optional too. */
function optional(name: string, path: string): string {
  return `${name}.?${path}`;
}

function list(values: readonly string[]): string {
  return `[${values.map((value) => `'${value}'`).join(', ')}]`;
}

/** What the expression of `toCel` says of an object that an API server sent. */
export function holds(rule: ObjectRule, object: unknown): boolean {
  switch (rule.kind) {
    case 'all':
      return rule.rules.every((one) => holds(one, object));
    case 'any':
      return rule.rules.some((one) => holds(one, object));
    case 'has':
      return valueAt(object, rule.path) !== undefined;
    case 'among':
      return ['', ...rule.values].includes(textAt(object, rule.path));
    case 'not-among':
      return !rule.values.includes(textAt(object, rule.path));
    case 'unset':
      return isUnset(valueAt(object, rule.path));
    case 'each':
      return rule.paths.every((path) => everyOf(valueAt(object, path), (item) => holds(rule.of, item)));
    case 'each-among':
      return everyOf(valueAt(object, rule.path), (item) => rule.values.includes(String(item)));
    case 'values-among':
      return Object.entries((valueAt(object, rule.path) ?? {}) as object).every(
        ([key, value]) => !key.startsWith(rule.prefix) || ['', ...rule.values].includes(String(value)),
      );
  }
}

/** An expression fails on null where it expects a list, and then nothing is done, as if the rule did not hold. */
function everyOf(value: unknown, test: (item: unknown) => boolean): boolean {
  if (value === undefined) return true;
  return Array.isArray(value) && value.every(test);
}

function isUnset(value: unknown): boolean {
  return (
    value === undefined ||
    value === false ||
    value === 0 ||
    value === '' ||
    (Array.isArray(value) && value.length === 0)
  );
}

function textAt(object: unknown, path: string): string {
  return String(valueAt(object, path) ?? '');
}

function valueAt(object: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, field) => (isObject(value) ? value[field] : undefined), object);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
