/**
 * What becomes of the fields of an object that another member sends, said as data: an object is built anew of the fields that a rule
 * takes. Null counts as absent, as it does for an API server.
 */
export type FieldRule<T> =
  /** A plain value. */
  | { kind: 'take' }
  /** A list of plain values. */
  | { kind: 'values' }
  /** A map of plain values. */
  | { kind: 'map' }
  /** Has no meaning here: left out without a word. */
  | { kind: 'drop' }
  /** Cannot be had here; `why` follows the name of what has it. Nothing to refuse is an empty, false or missing value. */
  | { kind: 'refuse'; why: string | ((value: unknown) => string); unless?: (value: unknown, terms: T) => boolean }
  /** An object of these fields. A function may look at the whole of it. */
  | { kind: 'object'; fields: Fields<T>; also?: (value: Readonly<Record<string, unknown>>, terms: T) => string[] }
  /** A list of objects, each called `label` and its name (or its place). */
  | { kind: 'list'; label: string; of: FieldRule<T> }
  /** An object with exactly one of `sources`, and what may stand beside it. `says` names the one that is not among them. */
  | { kind: 'one-of'; sources: Fields<T>; beside: Fields<T>; says: string };

export type Fields<T> = Readonly<Record<string, FieldRule<T>>>;

export interface Admitted {
  /** What is left of the value; undefined when nothing is. */
  value: unknown;
  /** Each names what is wrong, for the sentence "the pod cannot be offloaded: …". */
  problems: string[];
}

export interface Judge<T> {
  terms: T;
  /** Whether a field that no rule knows is a problem; otherwise it is left out. */
  refuseUnknown: boolean;
}

/** Longest part of a name in a message: names come from others. */
const MAX_NAME = 64;

/** @param label what the value, or for a refusal what has it, is called in problems, such as `container web`; empty for the pod */
export function admit<T>(rule: FieldRule<T>, value: unknown, label: string, judge: Judge<T>): Admitted {
  if (value === null || value === undefined) return NOTHING;
  switch (rule.kind) {
    case 'take':
      return isPlain(value) ? { value, problems: [] } : wrong(label);
    case 'values':
      return Array.isArray(value) && value.every(isPlain) ? { value, problems: [] } : wrong(label);
    case 'map':
      return isObject(value) && Object.values(value).every(isPlain) ? { value, problems: [] } : wrong(label);
    case 'drop':
      return NOTHING;
    case 'refuse':
      if (rule.unless?.(value, judge.terms) === true) return { value, problems: [] };
      if (isEmpty(value)) return NOTHING;
      return problem(`${ofOwner(label)} ${typeof rule.why === 'string' ? rule.why : rule.why(value)}`);
    case 'object':
      return isObject(value) ? admitObject(rule, value, label, judge) : wrong(label);
    case 'list':
      return Array.isArray(value) ? admitList(rule, value, label, judge) : wrong(within(label, rule.label));
    case 'one-of':
      return isObject(value) ? admitOneOf(rule, value, label, judge) : wrong(label);
  }
}

const NOTHING: Admitted = { value: undefined, problems: [] };

function problem(text: string): Admitted {
  return { value: undefined, problems: [text] };
}

function wrong(label: string): Admitted {
  return problem(`${label} is not of the kind that it should be`);
}

function admitObject<T>(
  { fields, also }: Extract<FieldRule<T>, { kind: 'object' }>,
  value: Record<string, unknown>,
  label: string,
  judge: Judge<T>,
): Admitted {
  const result: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    const rule = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (rule === undefined) {
      if (judge.refuseUnknown && !isUnset(member)) problems.push(unknown(label, name));
      continue;
    }
    // What a problem calls by its own name: lists name their items, and refusals say which field they mean.
    const called = rule.kind === 'list' || rule.kind === 'refuse' ? label : within(label, name);
    const admitted = admit(rule, member, called, judge);
    problems.push(...admitted.problems);
    if (admitted.value !== undefined) result[name] = admitted.value;
  }
  problems.push(...(also?.(result, judge.terms) ?? []).map((text) => `${ofOwner(label)} ${text}`));
  return { value: result, problems };
}

function admitList<T>(
  rule: Extract<FieldRule<T>, { kind: 'list' }>,
  value: unknown[],
  label: string,
  judge: Judge<T>,
): Admitted {
  const admitted = value.map((item, index) =>
    admit(rule.of, item, within(label, `${rule.label} ${nameOf(item, index)}`), judge),
  );
  return {
    value: admitted.flatMap((one) => (one.value === undefined ? [] : [one.value])),
    problems: admitted.flatMap(({ problems }) => problems),
  };
}

function admitOneOf<T>(
  { sources, beside, says }: Extract<FieldRule<T>, { kind: 'one-of' }>,
  value: Record<string, unknown>,
  label: string,
  judge: Judge<T>,
): Admitted {
  const set = Object.keys(value).filter(
    (name) => !Object.hasOwn(beside, name) && value[name] !== null && value[name] !== undefined,
  );
  const foreign = set.find((name) => !Object.hasOwn(sources, name));
  if (foreign !== undefined) return problem(`${label} ${says} ${short(foreign)}`);
  if (set.length === 0) return problem(`${label} has no source`);
  if (set.length > 1) return problem(`${label} has more than one source: ${set.map(short).join(', ')}`);
  return admitObject({ kind: 'object', fields: { ...sources, ...beside } }, value, label, judge);
}

function unknown(label: string, name: string): string {
  return `${ofOwner(label)} has a field that headcut does not know here: ${short(name)}`;
}

/** The pod itself is called "it". */
function ofOwner(label: string): string {
  return label === '' ? 'it' : label;
}

function within(label: string, name: string): string {
  return label === '' ? name : `${label} ${name}`;
}

function nameOf(item: unknown, index: number): string {
  const name = isObject(item) ? item.name : undefined;
  return typeof name === 'string' && name !== '' ? short(name) : String(index + 1);
}

function short(name: string): string {
  return name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}…` : name;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPlain(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}

function isEmpty(value: unknown): boolean {
  return value === false || value === '' || isUnset(value);
}

/** What API servers write for a field that nobody set. */
function isUnset(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
}
