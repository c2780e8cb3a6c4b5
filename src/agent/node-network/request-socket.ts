import { parseNodeFence } from '../../core/network/node-fence.ts';
import { parseNetworkRange, parseNodeNetwork } from '../../core/network/node-network.ts';
import { serveLocalHttp } from '../../runtime/local-http.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { UnixSocket } from '../../runtime/unix-socket.ts';
import type { NETWORK_CALLS } from '../../wire/beside.ts';
import { type LocalHandlers, NETWORK_PATHS, toLocalRoutes } from '../../wire/beside-paths.ts';
import type { NodeNetworkKeeper } from './node-network.ts';

export interface RequestSocketDeps {
  keeper: NodeNetworkKeeper;
  logger: Logger;
}

/** Serves the agent on a Unix socket. Only the agent's pod sees the socket's folder. */
export function serveRequests(path: string, { keeper, logger }: RequestSocketDeps): Promise<UnixSocket> {
  const handlers: LocalHandlers<typeof NETWORK_CALLS> = {
    network: async ({ text }) => {
      const { network, problems } = parseNodeNetwork(JSON.parse(text));
      return keeper.apply(network, problems);
    },
    report: async () => {
      const report = await keeper.report();
      return report === undefined ? {} : { report };
    },
    routes: async ({ query }) => ({ routes: await keeper.routes(parseNetworkRange(query.get('range'))) }),
    fence: async ({ text }) => {
      await keeper.fence(parseNodeFence(JSON.parse(text)));
      return {};
    },
    remove: async () => {
      await keeper.removeNetwork();
      return {};
    },
  };
  // The agent runs as another user.
  return serveLocalHttp(path, { routes: toLocalRoutes(NETWORK_PATHS, handlers), mode: 0o666, logger });
}
