import type { LocalRequest, LocalRoute } from '../runtime/local-http.ts';
import type { CallDefinition, ReplyOf } from './definition.ts';

/** Where the calls of wire/beside are found: apart from their schemas, which small processes do not load. */

const MIB = 1024 * 1024;

export const NETWORK_PATHS = {
  network: { method: 'PUT', path: '/v1/network', bodyBytes: MIB },
  report: { method: 'GET', path: '/v1/report' },
  routes: { method: 'GET', path: '/v1/routes' },
  fence: { method: 'PUT', path: '/v1/fence', bodyBytes: MIB },
  remove: { method: 'DELETE', path: '/v1/network' },
} as const;

export const GUARD_PATHS = {
  leases: { method: 'PUT', path: '/v1/leases', bodyBytes: MIB },
} as const;

/** What serves calls: one that is missing, or answers something else, does not compile. */
export type LocalHandlers<Calls extends Record<string, CallDefinition>> = {
  [Name in keyof Calls]: (asked: LocalRequest) => Promise<ReplyOf<Calls[Name]>>;
};

type Paths<Names extends string> = Record<Names, Pick<CallDefinition, 'method' | 'path' | 'bodyBytes'>>;

/** How runtime/local-http serves these calls. */
export function toLocalRoutes<Names extends string>(
  paths: Paths<Names>,
  handlers: Record<Names, LocalRoute['answer']>,
): Map<string, LocalRoute> {
  const names = Object.keys(paths) as Names[];
  return new Map(
    names.map((name) => {
      const { method, path, bodyBytes = 0 } = paths[name];
      return [`${method} ${path}`, { bodyBytes, answer: handlers[name] }];
    }),
  );
}
