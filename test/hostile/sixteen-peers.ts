/**
 * `npm run bench:hostile`: what the agent's memory is with sixteen peers and their pods, while one of them plays attack after attack.
 * The agent is the one of the image, against a real API server; the peers are members without clusters, in this process. Prints a
 * table in Markdown; fails where memory is over the promise. Environment as `./scripts/test hostile` makes it.
 */
import { parseArgs } from 'node:util';
import type { Pod } from '../../src/core/kube-objects.ts';
import { NAMESPACES, PODS } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { ATTACKS } from './attacks-of-a-peer.ts';
import { type Host, startHost } from './host.ts';
import { OFFER, type Provider, startProvider } from './provider.ts';

const PROMISED_MB = 150;
const LOOK_EVERY_MS = 250;

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: '16' },
    pods: { type: 'string', default: '48' },
    /** Of each attack. */
    seconds: { type: 'string', default: '20' },
    /** Only those whose names contain this. */
    only: { type: 'string', default: '' },
  },
});
const [peerCount, podCount, forMs] = [Number(values.peers), Number(values.pods), Number(values.seconds) * 1_000];

interface Row {
  what: string;
  /** Without and with the program itself. */
  anonMb: number;
  mostMb: number;
  blockedMs: number;
  cpu: number;
}

/** The most memory that the agent has while something goes on. */
async function watched(host: Host, what: string, during: Promise<unknown>): Promise<Row> {
  const startedAt = systemClock.monotonic();
  await host.cost();
  let over = false;
  void during.finally(() => {
    over = true;
  });
  const row: Row = { what, anonMb: 0, mostMb: 0, blockedMs: 0, cpu: 0 };
  let cpuMs = 0;
  while (!over) {
    await systemClock.sleep(LOOK_EVERY_MS);
    const cost = await host.cost();
    row.mostMb = Math.max(row.mostMb, cost.rssMb);
    row.anonMb = Math.max(row.anonMb, cost.anonMb);
    row.blockedMs = Math.max(row.blockedMs, cost.blockedMs);
    cpuMs += cost.cpuMs;
  }
  await during;
  row.cpu = cpuMs / (systemClock.monotonic() - startedAt);
  say(row);
  return row;
}

function say({ what, anonMb, mostMb, blockedMs, cpu }: Row): void {
  console.log(
    `| ${what} | ${anonMb.toFixed(0)} MB | ${mostMb.toFixed(0)} MB | ${blockedMs.toFixed(0)} ms | ${(100 * cpu).toFixed(0)} % |`,
  );
}

async function join(host: Host): Promise<Provider[]> {
  const providers: Provider[] = [];
  for (let i = 0; i < peerCount; i += 1) providers.push(await startProvider(`p${i}`, await host.invited()));
  return providers;
}

/** Pods of the host on all peers, until each says that it runs. */
async function offload(host: Host, providers: Provider[]): Promise<void> {
  const { client } = host;
  await client.create(NAMESPACES, { metadata: { name: 'work', labels: { 'headcut.dev/offload': 'true' } } });
  for (let i = 0; i < podCount; i += 1) {
    const nodeName = providers[i % providers.length]?.node;
    const containers = [{ name: 'c', image: 'x', resources: { requests: { cpu: '10m', memory: '16Mi' } } }];
    await untilDone(() =>
      client.create(PODS, { metadata: { name: `w${i}`, namespace: 'work' }, spec: { nodeName, containers } } as never),
    );
  }
  await untilDone(async () => {
    const { items } = await client.list<Pod>(PODS, { namespace: 'work' });
    const running = items.filter((pod) => pod.status?.phase === 'Running');
    const others = items
      .filter((pod) => !running.includes(pod))
      .map(({ metadata: { name }, status }) => `${name}: ${JSON.stringify(status)}`);
    if (running.length < podCount) throw new Error(`${running.length} of ${podCount} pods run; ${others}`);
  });
}

async function untilDone(what: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      return void (await what());
    } catch (error) {
      if (tries > 40) throw error;
      await systemClock.sleep(500);
    }
  }
}

const host = await startHost({ bundled: true });
let failed = false;
try {
  const providers = await join(host);
  await offload(host, providers);
  console.log(
    '| with sixteen peers | memory, most | and with the program | loop held, most (CPU time) | of a core |\n|---|---|---|---|---|',
  );
  const rows = [await watched(host, 'nobody attacks', systemClock.sleep(forMs))];
  const enemy = providers[0] as Provider;
  for (const [what, attack] of Object.entries(ATTACKS)) {
    if (!what.includes(values.only)) continue;
    const end = AbortSignal.timeout(forMs);
    const row = await watched(host, what, attack({ enemy, endpoint: `127.0.0.1:${host.peerPort}`, host }, end));
    rows.push(row);
    enemy.told.offer = OFFER;
    for (const name of Object.keys(enemy.calls) as (keyof typeof enemy.calls)[]) delete enemy.calls[name];
  }
  rows.push(await watched(host, 'a while after it all', systemClock.sleep(forMs)));
  failed = rows.some(({ anonMb }) => anonMb > PROMISED_MB);
  for (const provider of providers) void provider.stop();
} finally {
  await host.stop();
}
if (failed) console.error(`over the ${PROMISED_MB} MB that are promised`);
process.exit(failed ? 1 : 0);
