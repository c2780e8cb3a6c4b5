import { ENDPOINTS } from '../../src/wire/endpoints.ts';
import { MESSAGES } from '../../src/wire/messages.ts';
import type { Schema } from './hostile-values.ts';

/** Everything that a member can ask of another one, as it is defined: a new call is attacked by being there. */
export interface Call {
  name: string;
  method: string;
  path: string;
  params: Schema | undefined;
  body: Schema | undefined;
  /** The largest body, in bytes. */
  bodyBytes: number;
}

interface Defined {
  method: string;
  path: string;
  params?: unknown;
  body?: unknown;
  bodyBytes?: number;
}

export const CALLS: Call[] = Object.entries(ENDPOINTS as Record<string, Defined>).map(
  ([name, { method, path, params, body, bodyBytes = 1_024 }]) => ({
    name,
    method,
    path,
    params: params as Schema | undefined,
    body: body as Schema | undefined,
    bodyBytes,
  }),
);

/** What a member may say in a session, by its type. */
export const MESSAGE_FIELDS: [string, Schema][] = Object.entries(MESSAGES).map(([type, { fields }]) => [
  type,
  fields as unknown as Schema,
]);
