import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { messageOf } from '../../core/coded-error.ts';
import {
  type NodeNetworkAnswer,
  type NodeNetworkRequest,
  parseNodeNetworkRequest,
} from '../../core/network/node-network.ts';
import { readLines } from '../../runtime/lines.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { NodeNetworkKeeper } from './node-network.ts';

export interface RequestSocketDeps {
  keeper: NodeNetworkKeeper;
  logger: Logger;
}

const MAX_LINE_CHARS = 1024 * 1024;

/** Serves the agent on a Unix socket: a request a line, an answer a line, in order. Only the agent's pod sees the socket's folder. */
export function serveRequests(path: string, deps: RequestSocketDeps): Promise<Server> {
  rmSync(path, { force: true });
  const server = createServer((socket) => void serve(socket, deps));
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      // The agent runs as another user.
      chmodSync(path, 0o666);
      resolve(server);
    });
  });
}

async function serve(socket: Socket, deps: RequestSocketDeps): Promise<void> {
  socket.on('error', () => socket.destroy());
  try {
    for await (const line of readLines(socket, MAX_LINE_CHARS)) {
      const answer = await answerTo(line, deps);
      if (!socket.destroyed) socket.write(`${JSON.stringify(answer)}\n`);
    }
  } catch (err) {
    deps.logger.warn({ err }, 'connection of the agent broke');
  } finally {
    socket.destroy();
  }
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
      return { ok: true, report: await keeper.apply(request.network) };
    case 'report': {
      const report = await keeper.report();
      return report === undefined ? { ok: true } : { ok: true, report };
    }
    case 'remove':
      await keeper.remove();
      return { ok: true };
  }
}
