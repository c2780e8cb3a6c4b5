import { approveNodeRequests } from '../agent/node-approval/node-approver.ts';
import { createSigningRequests } from '../agent/node-approval/signing-requests.ts';
import { inClusterConnection } from '../kube/in-cluster.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLineLogger } from '../runtime/line-logger.ts';

/** Approves the certificates of virtual nodes, and no others. */
const logger = createLineLogger((line) => process.stdout.write(line));
const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
const { HOST_IP = '', POD_NAMESPACE = 'headcut-system', AGENT_SERVICE_ACCOUNT = 'headcut' } = process.env;
const agent = `system:serviceaccount:${POD_NAMESPACE}:${AGENT_SERVICE_ACCOUNT}`;
logger.info({ agent }, 'approver of node certificates starts');
const connection = inClusterConnection(process.env, process.env.SERVICE_ACCOUNT_FOLDER);
const requests = createSigningRequests(connection);
await approveNodeRequests(
  { requests, agent, hostIp: HOST_IP, clock: systemClock, random: Math.random, logger },
  stop.signal,
);
process.exit(0);
