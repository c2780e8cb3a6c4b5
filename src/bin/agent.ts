import { readFileSync } from 'node:fs';
import { composeAgent } from '../agent/compose.ts';
import { readAgentConfig } from '../agent/config.ts';
import { messageOf } from '../core/coded-error.ts';
import { inClusterConnection } from '../kube/in-cluster.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLogger } from '../runtime/logger.ts';
import { VERSION } from '../runtime/version.ts';

const config = readAgentConfig(process.env);
const logger = createLogger(config.logLevel);
const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());

try {
  logger.info({ version: VERSION, node: config.nodeName }, 'headcut agent starts');
  const agent = await composeAgent({
    config,
    connection: inClusterConnection(process.env),
    clock: systemClock,
    logger,
    random: Math.random,
    resolvConf: readFileSync('/etc/resolv.conf', 'utf8'),
  });
  await agent.run(stop.signal);
  logger.info({}, 'headcut agent ended');
  process.exit(0);
} catch (error) {
  logger.error({ err: error }, `headcut agent failed: ${messageOf(error)}`);
  process.exit(1);
}
