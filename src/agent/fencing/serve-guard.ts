import { serveLines } from '../../runtime/line-requests.ts';
import { serveLocalHttp } from '../../runtime/local-http.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { UnixSocket } from '../../runtime/unix-socket.ts';
import type { GUARD_CALLS } from '../../wire/beside.ts';
import { GUARD_PATHS, type LocalHandlers, toLocalRoutes } from '../../wire/beside-paths.ts';
import { type KeptLeases, LINE_TAKEN, parseLeases } from './lease-memory.ts';

/**
 * Between the agent and the guard of fenced pods, which is a pod of its own: a socket in a folder of the node. Who may connect there could
 * have any pod killed, so that it is for the agent's group alone.
 */
export const GUARD_SOCKET = 'fence.sock';
const FOR_GROUP = 0o660;
/** Of agents of 0.1.0, which tell leases in lines (formatLeases). */
const FIRST_BYTE_OF_LEASES = '{';

/** The guard's end; agents of a former version are understood as well. @param take keeps what the agent told */
export function serveGuard(
  path: string,
  take: (leases: KeptLeases) => Promise<void>,
  logger: Logger,
): Promise<UnixSocket> {
  const handlers: LocalHandlers<typeof GUARD_CALLS> = {
    leases: async ({ text }) => {
      await take(parseLeases(text));
      return {};
    },
  };
  const takeLine = async (line: string): Promise<string> => {
    try {
      await take(parseLeases(line));
      return LINE_TAKEN;
    } catch (err) {
      logger.error({ err }, 'what the agent told was not taken');
      return 'not taken';
    }
  };
  return serveLocalHttp(path, {
    routes: toLocalRoutes(GUARD_PATHS, handlers),
    mode: FOR_GROUP,
    logger,
    other: { byte: FIRST_BYTE_OF_LEASES, serve: (connection) => void serveLines(connection, takeLine, logger) },
  });
}
