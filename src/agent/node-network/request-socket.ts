import { messageOf } from '../../core/coded-error.ts';
import {
  type NodeNetworkAnswer,
  type NodeNetworkRequest,
  parseNodeNetworkRequest,
} from '../../core/network/node-network.ts';
import { type LineServer, serveLineRequests } from '../../runtime/line-requests.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { NodeNetworkKeeper } from './node-network.ts';

export interface RequestSocketDeps {
  keeper: NodeNetworkKeeper;
  logger: Logger;
}

/** Serves the agent on a Unix socket. Only the agent's pod sees the socket's folder. */
export function serveRequests(path: string, deps: RequestSocketDeps): Promise<LineServer> {
  const answer = async (line: string): Promise<string> => JSON.stringify(await answerTo(line, deps));
  // The agent runs as another user.
  return serveLineRequests(path, { answer, mode: 0o666, logger: deps.logger });
}

async function answerTo(line: string, { keeper, logger }: RequestSocketDeps): Promise<NodeNetworkAnswer> {
  try {
    return await carryOut(parseNodeNetworkRequest(line), keeper);
  } catch (err) {
    logger.error({ err }, 'request failed');
    return { ok: false, message: messageOf(err) };
  }
}

async function carryOut(request: NodeNetworkRequest, keeper: NodeNetworkKeeper): Promise<NodeNetworkAnswer> {
  switch (request.type) {
    case 'apply':
      return { ok: true, report: await keeper.apply(request.network, request.problems) };
    case 'report': {
      const report = await keeper.report();
      return report === undefined ? { ok: true } : { ok: true, report };
    }
    case 'routes':
      return { ok: true, routes: await keeper.routes(request.range) };
    case 'fence':
      await keeper.fence(request.fence);
      return { ok: true };
    case 'remove':
      await keeper.removeNetwork();
      return { ok: true };
  }
}
