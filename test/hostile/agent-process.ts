import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { composeAgent } from '../../src/agent/compose.ts';
import { readAgentConfig } from '../../src/agent/config.ts';
import { GUARD_SOCKET, serveGuard } from '../../src/agent/fencing/serve-guard.ts';
import { NETWORK_SOCKET, type TunnelReport } from '../../src/core/network/node-network.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { serveLocalHttp } from '../../src/runtime/local-http.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { NETWORK_PATHS, toLocalRoutes } from '../../src/wire/beside-paths.ts';

/**
 * A whole agent in a process of its own, against the API server in the environment, that tells what it costs. Its parent attacks it: what
 * that does is not counted here.
 */

export interface Cost {
  /** The longest stretch in ms of CPU time in which the event loop did nothing else, since it was asked last. */
  blockedMs: number;
  /** CPU time in ms since it was asked last. */
  cpuMs: number;
  rssMb: number;
  /** Of that what is its own, as the kernel counts it: not the program, which is read from the disk. */
  anonMb: number;
  heapMb: number;
  /** How often each message was logged since it was asked last. */
  logged: Record<string, number>;
  loggedBytes: number;
}

/** So often it is looked how much CPU time this thread took: a stretch is what is taken between two looks. */
const LOOK_EVERY_MS = 5;

const { SERVER = '', CA_FILE = '', TOKEN = '', STATE_FOLDER = '' } = process.env;
for (const name of ['network', 'state', 'fence']) mkdirSync(join(STATE_FOLDER, name), { recursive: true });

let logged: Record<string, number> = {};
let loggedBytes = 0;
const logger = createLogger('info', {
  write: (line) => {
    const { msg, level } = JSON.parse(line) as { msg: string; level: string };
    if (process.env.SHOW_LOG !== undefined) process.stderr.write(line);
    loggedBytes += line.length;
    if (level !== 'info') logged[msg] = (logged[msg] ?? 0) + 1;
  },
});

let blockedMs = 0;
const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};
let lookedAtMs = cpuMs();
setInterval(() => {
  const now = cpuMs();
  blockedMs = Math.max(blockedMs, now - lookedAtMs);
  lookedAtMs = now;
}, LOOK_EVERY_MS);

let askedAtMs = cpuMs();
process.on('message', () => {
  const { rss, heapUsed } = process.memoryUsage();
  const now = cpuMs();
  const MB = 1024 * 1024;
  const anonMb = Number(/^RssAnon:\s*(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
  const memory = { rssMb: rss / MB, anonMb, heapMb: heapUsed / MB };
  const cost: Cost = { blockedMs, cpuMs: now - askedAtMs, ...memory, logged, loggedBytes };
  [blockedMs, askedAtMs, logged, loggedBytes] = [0, now, {}, 0];
  process.send?.({ cost });
});
process.on('disconnect', () => process.exit(0));

const config = {
  ...readAgentConfig(process.env),
  networkFolder: join(STATE_FOLDER, 'network'),
  stateFolder: join(STATE_FOLDER, 'state'),
  fenceFolder: join(STATE_FOLDER, 'fence'),
};
// The process that may change the node, and the guard of fenced pods: they say yes to everything.
const nothing: TunnelReport = { kind: 'kernel', mtu: 1420, peers: [] };
const yes = async (): Promise<object> => ({});
await serveLocalHttp(join(config.networkFolder, NETWORK_SOCKET), {
  routes: toLocalRoutes(NETWORK_PATHS, {
    network: async () => nothing,
    report: yes,
    routes: async () => ({ routes: [] }),
    fence: yes,
    remove: yes,
  }),
  mode: 0o600,
  logger,
});
await serveGuard(join(config.fenceFolder, GUARD_SOCKET), async () => {}, logger);
const agent = await composeAgent({
  config,
  connection: { server: SERVER, ca: readFileSync(CA_FILE, 'utf8'), token: TOKEN },
  clock: systemClock,
  logger,
  random: Math.random,
  resolvConf: 'search cluster.local\nnameserver 127.0.0.1\n',
});
process.send?.({ ready: true });
await agent.run(new AbortController().signal);
