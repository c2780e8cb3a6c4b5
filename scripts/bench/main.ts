/**
 * `npm run bench`: prints figures and ratios of offloading. Each time is taken twice in one run: a Deployment made on `a` whose pods all
 * go to `b`, and the same made directly on `b`; their ratio says what the federation costs.
 */
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { agentEntry, bundleEntry } from '../bundle.ts';
import { type AgentFigures, readAgentFigures, writesBetween } from './agent-figures.ts';

const folder = process.env.HEADCUT_LAB ?? '';
const root = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);

async function kubectl(cluster: string, args: string[], input?: string): Promise<string> {
  const child = run(join(folder, 'bin', 'kubectl'), [
    '--kubeconfig',
    join(folder, 'kubeconfig'),
    '--context',
    cluster,
    ...args,
  ]);
  if (input !== undefined) child.child.stdin?.end(input);
  return (await child).stdout;
}

function deployment(name: string, replicas: number, nodeSelector: object): string {
  const labels = { app: name };
  const container = { name: 'c', image: 'headcut.dev/demo:0.1.0', resources: { requests: { cpu: '1m' } } };
  const template = {
    metadata: { labels },
    spec: { nodeSelector, terminationGracePeriodSeconds: 0, containers: [container] },
  };
  const spec = { replicas, selector: { matchLabels: labels }, template };
  return JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'bench' }, spec });
}

/** Milliseconds from making the Deployment to all replicas Ready; it is removed afterwards, with `whileReady` in between. */
async function timeToReady(
  cluster: string,
  replicas: number,
  nodeSelector: object,
  whileReady?: () => Promise<void>,
): Promise<number> {
  const name = `bench-${replicas}`;
  const start = performance.now();
  await kubectl(cluster, ['apply', '-f', '-'], deployment(name, replicas, nodeSelector));
  await kubectl(cluster, ['-n', 'bench', 'rollout', 'status', `deployment/${name}`, '--timeout=240s']);
  const took = performance.now() - start;
  await whileReady?.();
  await kubectl(cluster, ['-n', 'bench', 'delete', 'deployment', name, '--cascade=foreground']);
  await kubectl(cluster, ['-n', 'bench', 'wait', 'pod', '-l', `app=${name}`, '--for=delete', '--timeout=120s']).catch(
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

function row(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(62)} ${value}\n`);
}

async function main(): Promise<void> {
  for (const cluster of ['a', 'b']) await kubectl(cluster, ['create', 'namespace', 'bench']);
  await kubectl('a', ['label', 'namespace', 'bench', 'headcut.dev/offload=true']);
  const [hostA, hostB] = [await addressOf('a'), await addressOf('b')];
  const read = async (): Promise<[AgentFigures, AgentFigures]> => [
    await readAgentFigures(hostA, hostA),
    await readAgentFigures(hostB, hostB),
  ];

  // The first pods of a namespace pay for its twin; that is measured too, and first.
  row(
    'first offloaded pod of a namespace, ms',
    (await timeToReady('a', 1, { 'kubernetes.io/hostname': 'headcut-b' })).toFixed(0),
  );
  for (const replicas of [10, 50]) {
    const direct = await timeToReady('b', replicas, {});
    const before = await read();
    let after = before;
    const offloaded = await timeToReady('a', replicas, { 'kubernetes.io/hostname': 'headcut-b' }, async () => {
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
