import type { TObject, TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { CodedError, hasCode } from '../core/coded-error.ts';
import { parseJson } from '../core/json-bounds.ts';
import type { ArgumentsOf, Asked, CallDefinition, ReplyOf, RequestOf } from './definition.ts';
import { MESSAGES, type SessionMessage } from './messages.ts';

/** The one place where what another member said is checked against its definition. What is wrong is one CodedError that names who said it. */

/** Values in what is explained: some milliseconds. */
const MAX_EXPLAINED = 10_000;

const validators = new WeakMap<TSchema, Validator>();

/** Where and why a value is not what its schema says; undefined when it is. */
export function problemOf(schema: TSchema, value: unknown): string | undefined {
  let validator = validators.get(schema);
  if (validator === undefined) {
    validator = Compile(schema);
    validators.set(schema, validator);
  }
  if (validator.Check(value)) return undefined;
  if (!isSmall(value)) return 'it is something else than it should be, and too large to look for the place';
  const [first] = validator.Errors(value);
  return `${(first?.instancePath ?? '').slice(0, 200) || 'it'} ${(first?.message ?? 'is something else').slice(0, 300)}`;
}

/** To say what is wrong takes a look at all of a value, and many times as long as to see that something is. */
function isSmall(value: unknown): boolean {
  const open = [value];
  let seen = 0;
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    if (typeof one !== 'object' || one === null) continue;
    const members: unknown[] = Array.isArray(one) ? one : Object.values(one);
    seen += members.length;
    if (seen > MAX_EXPLAINED) return false;
    for (const member of members) if (typeof member === 'object' && member !== null) open.push(member);
  }
  return true;
}

/** A request as it came: texts of a URL, and a parsed body. */
export interface RawRequest {
  params?: Readonly<Record<string, string | undefined>>;
  query?: URLSearchParams;
  body?: unknown;
}

/** Throws InvalidArgument when the request is not what the definition says. */
export function readRequest<D extends Asked>(definition: D, raw: RawRequest): RequestOf<D> {
  const { params, query = new URLSearchParams(), body } = raw;
  const request = {
    params: definition.params && { ...params },
    query: definition.query === 'kubernetes' ? query : definition.query && readQuery(definition.query, query),
    body: definition.body && (body ?? null),
  };
  for (const part of ['params', 'query', 'body'] as const) {
    const schema = definition[part];
    const problem = schema === undefined || schema === 'kubernetes' ? undefined : problemOf(schema, request[part]);
    if (problem !== undefined) throw new CodedError('InvalidArgument', `the ${part} of the request: ${problem}`);
  }
  return request as RequestOf<D>;
}

/** Values in the types that the schema names; what cannot be read stays a text, which the check refuses. */
function readQuery(schema: TObject, query: URLSearchParams): Record<string, unknown> {
  const read: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(schema.properties)) {
    const text = query.get(name);
    if (text !== null) read[name] = readValue((property as { type?: unknown }).type, text);
  }
  return read;
}

function readValue(type: unknown, text: string): unknown {
  if ((type === 'integer' || type === 'number') && /^-?[0-9]{1,15}$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

/** Path and query of a call. */
export function toTarget<D extends Asked & { path: string }>(definition: D, asked: ArgumentsOf<D>): string {
  const { params = {}, query } = asked as { params?: Record<string, string>; query?: object };
  const path = definition.path.replace(/:([A-Za-z]+)/g, (_whole, name: string) =>
    encodeURIComponent(params[name] ?? ''),
  );
  const search = query instanceof URLSearchParams ? query : toSearch(query ?? {});
  return search.size === 0 ? path : `${path}?${search}`;
}

function toSearch(query: object): URLSearchParams {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]));
}

/** The parameters in the path of a request; undefined when it is another path. */
export function readPath(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, segment] of wanted.entries()) {
    const text = given[at] ?? '';
    if (segment.startsWith(':')) {
      const decoded = decodeSegment(text);
      if (decoded === undefined) return undefined;
      params[segment.slice(1)] = decoded;
    } else if (segment !== text) return undefined;
  }
  return params;
}

function decodeSegment(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** What answered a call, by whom (a name). Throws Internal when it is not what the definition says. */
export function readReply<D extends CallDefinition>(definition: D, text: string, from: string): ReplyOf<D> {
  const { method, path, reply } = definition;
  let value: unknown;
  try {
    value = text === '' ? {} : parseJson(text);
  } catch (error) {
    if (hasCode(error, 'InvalidArgument'))
      throw new CodedError('Internal', `${from} answered ${method} ${path} with too much: ${error.message}`);
    throw new CodedError('Internal', `${from} answered ${method} ${path} with something that is no JSON`, error);
  }
  const problem = typeof reply === 'string' ? 'it streams' : problemOf(reply, value);
  if (problem !== undefined)
    throw new CodedError(
      'Internal',
      `${from} answered ${method} ${path} with something else than it should: ${problem}`,
    );
  return value as ReplyOf<D>;
}

/** One line of a session with a member; undefined for a kind that this version does not know. Throws InvalidArgument. */
export function readMessage(line: string, from: string): SessionMessage | undefined {
  let value: unknown;
  try {
    value = parseJson(line);
  } catch (error) {
    if (hasCode(error, 'InvalidArgument'))
      throw new CodedError('InvalidArgument', `a line of the session with ${from} is not read: ${error.message}`);
    throw new CodedError('InvalidArgument', `a line of the session with ${from} is no JSON`, error);
  }
  return checkMessage(value, from);
}

/** A message of a session with a member, already parsed. */
export function checkMessage(value: unknown, from: string): SessionMessage | undefined {
  const type = (value as { type?: unknown } | null)?.type;
  if (typeof type !== 'string')
    throw new CodedError('InvalidArgument', `a line of the session with ${from} has no type`);
  if (!Object.hasOwn(MESSAGES, type)) return undefined;
  const problem = problemOf(MESSAGES[type as SessionMessage['type']].fields, value);
  if (problem !== undefined)
    throw new CodedError('InvalidArgument', `a ${type} message of the session with ${from} is malformed: ${problem}`);
  return value as SessionMessage;
}
