/**
 * `npm run bench`: prints figures and ratios of offloading. Each time is taken twice in one run: a Deployment made on `a` whose pods all
 * go to `b`, and the same made directly on `b`; their ratio says what the federation costs.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { agentEntry, bundleEntry } from '../bundle.ts';
import { type AgentFigures, readAgentFigures, writesBetween } from './agent-figures.ts';
import { apply, deployment, kubectl, offloadedNamespace, onNode, row } from './bench-lab.ts';

const root = join(import.meta.dirname, '..', '..');
const NAMESPACE = 'bench';

/** Milliseconds from making the Deployment to all replicas Ready; it is removed afterwards, with `whileReady` in between. */
async function timeToReady(
  cluster: string,
  replicas: number,
  spec: object,
  whileReady?: () => Promise<void>,
): Promise<number> {
  const name = `bench-${replicas}`;
  const start = performance.now();
  await apply(cluster, deployment({ namespace: NAMESPACE, name }, replicas, spec));
  await kubectl(cluster, ['-n', NAMESPACE, 'rollout', 'status', `deployment/${name}`, '--timeout=240s']);
  const took = performance.now() - start;
  await whileReady?.();
  await kubectl(cluster, ['-n', NAMESPACE, 'delete', 'deployment', name, '--cascade=foreground']);
  await kubectl(cluster, ['-n', NAMESPACE, 'wait', 'pod', '-l', `app=${name}`, '--for=delete', '--timeout=120s']).catch(
    () => {},
  );
  return took;
}

async function addressOf(cluster: string): Promise<string> {
  return kubectl(cluster, [
    'get',
    'node',
    cluster,
    '-o',
    'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}',
  ]);
}

async function main(): Promise<void> {
  await kubectl('b', ['create', 'namespace', NAMESPACE]);
  await using _ = await offloadedNamespace(NAMESPACE);
  const [hostA, hostB] = [await addressOf('a'), await addressOf('b')];
  const read = async (): Promise<[AgentFigures, AgentFigures]> => [
    await readAgentFigures(hostA, hostA),
    await readAgentFigures(hostB, hostB),
  ];

  // The first pods of a namespace pay for its twin; that is measured too, and first.
  row('first offloaded pod of a namespace, ms', (await timeToReady('a', 1, onNode('headcut-b'))).toFixed(0));
  for (const replicas of [10, 50]) {
    const direct = await timeToReady('b', replicas, {});
    const before = await read();
    let after = before;
    const offloaded = await timeToReady('a', replicas, onNode('headcut-b'), async () => {
      after = await read();
    });
    row(
      `${replicas} replicas Ready, direct on b / offloaded from a, ms`,
      `${direct.toFixed(0)} / ${offloaded.toFixed(0)}`,
    );
    row(`${replicas} replicas, ratio offloaded to direct`, (offloaded / direct).toFixed(2));
    for (const [index, side] of ['consumer', 'provider'].entries()) {
      const [one, two] = [before[index], after[index]];
      if (one === undefined || two === undefined) continue;
      row(
        `${replicas} replicas, writes of the agent per pod (${side})`,
        (writesBetween(one, two).besidesLeases / replicas).toFixed(1),
      );
      row(`${replicas} replicas, memory of the agent's container, MB (${side})`, two.memoryMb.toFixed(0));
      row(`${replicas} replicas, CPU of the agent, s (${side})`, (two.cpuSeconds - one.cpuSeconds).toFixed(2));
    }
  }
  await sleep(20_000);
  const idleBefore = await read();
  await sleep(60_000);
  const idleAfter = await read();
  for (const [index, side] of ['consumer', 'provider'].entries()) {
    const [one, two] = [idleBefore[index], idleAfter[index]];
    if (one === undefined || two === undefined) continue;
    const writes = writesBetween(one, two);
    row(`idle, writes a minute: all / besides leases (${side}, 2 peers)`, `${writes.all} / ${writes.besidesLeases}`);
    row(`idle, CPU of the agent, % of a core (${side})`, (((two.cpuSeconds - one.cpuSeconds) / 60) * 100).toFixed(2));
    row(`idle, memory of the agent's container, MB (${side})`, two.memoryMb.toFixed(0));
  }
  const sizeMb = (file: string): string => (statSync(join(root, 'dist', file)).size / 1e6).toFixed(1);
  const { code } = await bundleEntry(agentEntry, { root });
  row('bundle of the agent, MB', (code.length / 1e6).toFixed(2));
  row('image headcut, MB', sizeMb('images/headcut.tar'));
}

await main();
