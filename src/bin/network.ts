import { join } from 'node:path';
import { NodeNetworkKeeper } from '../agent/node-network/node-network.ts';
import { serveRequests } from '../agent/node-network/request-socket.ts';
import { messageOf } from '../core/coded-error.ts';
import { NETWORK_SOCKET } from '../core/network/node-network.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLineLogger } from '../runtime/line-logger.ts';

/** Changes the node's network as the agent says; `network.mjs remove` removes all that was made. */
const folder = process.env.NETWORK_FOLDER ?? '/run/headcut-network';
const logger = createLineLogger((line) => process.stdout.write(line));
const keeper = new NodeNetworkKeeper({ scratch: folder, clock: systemClock, logger });
const end = async (): Promise<void> => {
  await keeper.stop();
  process.exit(0);
};

try {
  if (process.argv[2] === 'remove') await keeper.remove();
  else {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => void end());
    await serveRequests(join(folder, NETWORK_SOCKET), { keeper, logger });
    logger.info({}, 'network part ready');
  }
} catch (error) {
  logger.error({ err: error }, `network part failed: ${messageOf(error)}`);
  process.exit(1);
}
