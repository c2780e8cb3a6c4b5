import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TSchema } from 'typebox';
import {
  type CallDefinition,
  COMMON_ERRORS,
  type PodStreamDefinition,
  type StreamDefinition,
} from '../src/wire/definition.ts';
import { ENDPOINTS, JOIN, POD_STREAM, PROTOCOL_VERSION, STREAM_PATH, STREAMS } from '../src/wire/endpoints.ts';
import { PeerRecord } from '../src/wire/member-schemas.ts';
import { MAX_MESSAGE_CHARS, MESSAGES } from '../src/wire/messages.ts';
import { RemotePod, SentPod } from '../src/wire/pod-schemas.ts';
import { Services } from '../src/wire/service-schemas.ts';

/** Writes docs/wire.md from the definitions of the peer protocol: `npm run wire-doc`. */

interface JsonSchema {
  type?: string;
  const?: unknown;
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  patternProperties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
}

/** What is said in several places, described in one. */
const NAMED: Record<string, TSchema> = { PeerRecord, Pod: SentPod, RemotePod, Services };
const names = new Map(Object.entries(NAMED).map(([name, schema]) => [JSON.stringify(schema), name]));

function shapeOf(schema: TSchema, indent = ''): string {
  return names.get(JSON.stringify(schema)) ?? describe(schema, indent);
}

function describe(schema: TSchema, indent = ''): string {
  const { type, anyOf, items, properties, patternProperties, ...rest } = schema as JsonSchema;
  if (rest.const !== undefined) return JSON.stringify(rest.const);
  if (anyOf !== undefined) return anyOf.map((one) => shapeOf(one, indent)).join(' | ');
  if (type === 'array') return `[${shapeOf(items ?? {}, indent)}]${range(rest.minItems, rest.maxItems, 'items')}`;
  if (type === 'string') return `string${range(rest.minLength, rest.maxLength, 'characters')}${patternOf(rest)}`;
  if (type === 'integer' || type === 'number') return `${type}${range(rest.minimum, rest.maximum, '')}`;
  if (patternProperties !== undefined) {
    const [[key = '', value = {}] = []] = Object.entries(patternProperties);
    return `{ [${key}]: ${shapeOf(value, indent)} }${range(undefined, rest.maxProperties, 'entries')}`;
  }
  if (properties === undefined || Object.keys(properties).length === 0)
    return type === 'object' ? '{}' : (type ?? 'any');
  const inner = `${indent}  `;
  const fields = Object.entries(properties).map(([name, field]) => {
    const optional = rest.required?.includes(name) === true ? '' : '?';
    return `${inner}${name}${optional}: ${shapeOf(field, inner)}`;
  });
  return `{\n${fields.join('\n')}\n${indent}}${rest.additionalProperties === false ? ' (nothing else)' : ''}`;
}

function patternOf({ pattern }: JsonSchema): string {
  return pattern === undefined ? '' : ` /${pattern}/`;
}

function range(least: number | undefined, most: number | undefined, unit: string): string {
  if (least === undefined && most === undefined) return '';
  const text = most === undefined ? `at least ${least}` : `${least === undefined ? 'up to' : `${least} to`} ${most}`;
  return ` (${text}${unit === '' ? '' : ` ${unit}`})`;
}

const bytes = (count: number): string => (count % 1024 === 0 ? `${count / 1024} KiB` : `${count} bytes`);

function block(title: string, schema: TSchema | undefined): string[] {
  return schema === undefined ? [] : [`${title}:`, '', '```', shapeOf(schema), '```', ''];
}

function boundsOf(bounds: {
  cost: number;
  atOnce?: number;
  bodyBytes?: number;
  replyBytes?: number;
  withinMs?: number;
}) {
  return [
    ...(bounds.bodyBytes === undefined ? [] : [`body up to ${bytes(bounds.bodyBytes)}`]),
    ...(bounds.replyBytes === undefined ? [] : [`reply up to ${bytes(bounds.replyBytes)}`]),
    ...(bounds.withinMs === undefined ? [] : [`answered within ${bounds.withinMs / 1_000} s`]),
    ...(bounds.atOnce === undefined ? [] : [`${bounds.atOnce} at once`]),
    `costs ${bounds.cost}`,
  ].join(', ');
}

function facts(definition: { since: number; errors: readonly string[] } & Parameters<typeof boundsOf>[0]): string {
  const errors = definition.errors.length === 0 ? '' : ` Errors: ${definition.errors.join(', ')}.`;
  return `Since protocol ${definition.since}; ${boundsOf(definition)}.${errors}`;
}

function call(name: string, definition: CallDefinition): string[] {
  const { method, path, purpose, params, query, body, reply } = definition;
  return [
    `### ${name}: \`${method} ${path}\``,
    '',
    purpose,
    '',
    facts(definition),
    '',
    ...block('Parameters', params),
    ...(query === 'kubernetes' ? [] : block('Query', query)),
    ...block('Body', body),
    ...(typeof reply === 'string' ? [`Reply: ${reply} that stream.`, ''] : block('Reply', reply)),
  ];
}

function stream(title: string, definition: StreamDefinition | PodStreamDefinition): string[] {
  const { purpose, query } = definition;
  const params = 'params' in definition ? definition.params : undefined;
  return [
    `### ${title}`,
    '',
    purpose,
    '',
    facts(definition),
    '',
    ...block('Parameters', params),
    ...(query === 'kubernetes' ? [] : block('Query', query)),
  ];
}

/** The page, as it is to be. */
export function renderWireDoc(): string {
  return [
    '# What members say to each other',
    '',
    `Protocol ${PROTOCOL_VERSION}. Generated from \`src/wire\` by \`npm run wire-doc\`; a test holds it current.`,
    '',
    'Members keep one TLS 1.3 connection per pair, pinned to their keys. It carries HTTP/2 as a multiplexer; each stream is one HTTP/1.1',
    'connection, on which either side calls. All calls of a member take from one bucket of 500 tokens, 100 more a second. What is wrong is',
    'answered with `{ "code", "message" }`; any call may end with',
    `${COMMON_ERRORS.join(', ')}.`,
    'Fields that are not named here pass unread, unless it says otherwise.',
    '',
    '## Shapes',
    '',
    ...Object.entries(NAMED).flatMap(([name, schema]) => [`### ${name}`, '', '```', describe(schema), '```', '']),
    '## For newcomers',
    '',
    ...call('join', JOIN),
    '## Calls',
    '',
    ...Object.entries(ENDPOINTS).flatMap(([name, definition]) => call(name, definition)),
    '## Raw streams',
    '',
    ...stream(`podStream: \`${POD_STREAM.path}\``, POD_STREAM),
    ...Object.entries(STREAMS).flatMap(([name, definition]) =>
      stream(`${name}: \`${STREAM_PATH.replace(':name', name)}\``, definition),
    ),
    '## Messages of a session',
    '',
    `One JSON object a line, with its name as \`type\`; a line has ${MAX_MESSAGE_CHARS / 1024} Ki characters at most.`,
    '',
    ...Object.entries(MESSAGES).flatMap(([name, { purpose, since, fields }]) => [
      `### ${name}`,
      '',
      `${purpose} Since protocol ${since}.`,
      '',
      ...block('Fields', fields),
    ]),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, '../docs/wire.md'), renderWireDoc());
