import { readFileSync } from 'node:fs';
import type { AgentParts } from '../agent/agent-parts.ts';
import { composeAgent } from '../agent/compose.ts';
import { readAgentConfig } from '../agent/config.ts';
import { messageOf } from '../core/coded-error.ts';
import { inClusterConnection } from '../kube/in-cluster.ts';
import { patiently } from '../kube/patiently.ts';
import { unlessAborted } from '../runtime/aborted.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLogger } from '../runtime/logger.ts';
import { VERSION } from '../runtime/version.ts';

const config = readAgentConfig(process.env);
/** Less than its startup probe waits: it says itself why it does not start. */
const STARTS_WITHIN_MS = 45_000;
const logger = createLogger(config.logLevel);
const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());

try {
  logger.info({ version: VERSION, node: config.nodeName }, 'headcut agent starts');
  const parts: AgentParts = {
    config,
    connection: inClusterConnection(process.env),
    clock: systemClock,
    logger,
    random: Math.random,
    resolvConf: readFileSync('/etc/resolv.conf', 'utf8'),
  };
  // After a reboot kubelets start it before the way to the API server is there; started again by them it would come 10 s later.
  const limit = { clock: systemClock, untilMs: systemClock.monotonic() + STARTS_WITHIN_MS, signal: stop.signal };
  const agent = await patiently(
    () => unlessAborted(stop.signal, composeAgent(parts)),
    limit,
    (error) => logger.warn({ err: error }, 'the API server is out of reach; waiting for it'),
  );
  await agent.run(stop.signal);
  logger.info({}, 'headcut agent ended');
  process.exit(0);
} catch (error) {
  // Told to end before it had begun.
  if (error === stop.signal.reason) process.exit(0);
  logger.error({ err: error }, `headcut agent failed: ${messageOf(error)}`);
  process.exit(1);
}
