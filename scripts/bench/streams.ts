/**
 * `npm run bench:streams`: what the way through two agents costs a stream. The same pod is asked twice in turn: through the consumer `a`,
 * where it is offloaded, and directly on its provider `b`. Printed are medians and their ratio.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { apply, IMAGE, kubectl, kubectlCommand, median, offloadedNamespace, onNode } from './bench-lab.ts';

const NAMESPACE = 'bench-streams';

const ECHOES = 200;
const STARTS = 15;
const LOG_READS = 9;
const LOG_LINE = 'a line of the log that is as long as lines usually are, more or less';
/** On disk each line is 45 bytes longer: below the size at which kubelets start a new file (10 MiB), or a part would be missing. */
const LOG_LINES = 58_000;
const LOG_BYTES = LOG_LINES * (LOG_LINE.length + 1);
/** Bytes of one exec; BENCH_MB for a longer look. */
const EXEC_BYTES = Number(process.env.BENCH_MB ?? 256) * 1_000_000;

interface Side {
  name: string;
  cluster: string;
  namespace: string;
}

function start(cluster: string, args: string[]): ChildProcessWithoutNullStreams {
  return spawn(...kubectlCommand(cluster, args), { stdio: 'pipe' });
}

/**
 * Runs to its end; gives the seconds, the bytes of its output and their hash.
 * @param until the input ends when this many bytes came, and not before
 */
async function consume(
  cluster: string,
  args: string[],
  until = 0,
): Promise<{ seconds: number; bytes: number; hash: string }> {
  const begin = performance.now();
  const child = start(cluster, args);
  if (until === 0) child.stdin.end();
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of child.stdout) {
    bytes += (chunk as Buffer).length;
    if (until > 0 && bytes >= until) child.stdin.end();
    hash.update(chunk as Buffer);
  }
  return { seconds: (performance.now() - begin) / 1000, bytes, hash: hash.digest('hex') };
}

/** Milliseconds from a line sent into a running exec to its echo. */
async function echoTimes({ cluster, namespace }: Side): Promise<number[]> {
  const child = start(cluster, ['-n', namespace, 'exec', '-i', 'bench', '--', 'cat']);
  const times: number[] = [];
  for (let index = 0; index < ECHOES; index += 1) {
    const begin = performance.now();
    child.stdin.write(`${index}\n`);
    await once(child.stdout, 'data');
    // The first carries the start of the session.
    if (index > 0) times.push(performance.now() - begin);
  }
  child.stdin.end();
  await once(child, 'close');
  return times;
}

async function startTimes({ cluster, namespace }: Side): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < STARTS; index += 1)
    times.push((await consume(cluster, ['-n', namespace, 'exec', 'bench', '--', 'true'])).seconds * 1000);
  return times;
}

/** MB/s of the whole log, time and again. */
async function logRates({ cluster, namespace }: Side): Promise<number[]> {
  const rates: number[] = [];
  for (let index = 0; index < LOG_READS; index += 1) {
    const { seconds, bytes } = await consume(cluster, ['-n', namespace, 'logs', 'bench']);
    if (bytes !== LOG_BYTES) throw new Error(`the log has ${bytes} bytes instead of ${LOG_BYTES}`);
    rates.push(bytes / 1e6 / seconds);
  }
  return rates;
}

/** The log is complete: a busy machine takes a while to write it. */
async function untilLogged({ cluster, namespace }: Side): Promise<void> {
  for (let attempt = 0; attempt < 60; attempt += 1) {
    if ((await consume(cluster, ['-n', namespace, 'logs', 'bench'])).bytes === LOG_BYTES) return;
    await sleep(1_000);
  }
  throw new Error('the pod did not write its log within a minute');
}

async function execRates({ cluster, namespace }: Side): Promise<number[]> {
  // It stays until all was seen here: kubelets lose the end of what a process that ended said (see test/e2e/kubectl.test.ts).
  const script = `yes headcut-bench | head -c ${EXEC_BYTES}; read -r seen`;
  const expected = createHash('sha256');
  const line = Buffer.from('headcut-bench\n'.repeat(100_000));
  for (let left = EXEC_BYTES; left > 0; left -= line.length)
    expected.update(line.subarray(0, Math.min(left, line.length)));
  const args = ['-n', namespace, 'exec', '-i', 'bench', '--', 'sh', '-c', script];
  const answer = await consume(cluster, args, EXEC_BYTES);
  if (answer.hash !== expected.digest('hex'))
    throw new Error(`exec: ${answer.bytes} of ${EXEC_BYTES} bytes, or not the same`);
  return [answer.bytes / 1e6 / answer.seconds];
}

/** Both sides in turn and twice, so that a busy moment of the machine does not fall on one alone. */
async function compare(what: string, sides: [Side, Side], measure: (side: Side) => Promise<number[]>): Promise<void> {
  const [direct, offloaded] = sides;
  const values = new Map<Side, number[]>(sides.map((side) => [side, []]));
  for (const side of [direct, offloaded, offloaded, direct]) values.get(side)?.push(...(await measure(side)));
  const [left, right] = [median(values.get(direct) ?? []), median(values.get(offloaded) ?? [])];
  process.stdout.write(
    `${what.padEnd(46)} ${left.toFixed(1)} / ${right.toFixed(1)}   ratio ${(right / left).toFixed(2)}\n`,
  );
}

async function main(): Promise<void> {
  const script = `yes '${LOG_LINE}' | head -n ${LOG_LINES}; sleep 36000`;
  const container = { name: 'c', image: IMAGE, command: ['sh', '-c', script] };
  const spec = { ...onNode('headcut-b'), terminationGracePeriodSeconds: 0, containers: [container] };
  const metadata = { name: 'bench', namespace: NAMESPACE, labels: { app: 'bench' } };
  await using _ = await offloadedNamespace(NAMESPACE);
  await apply('a', { apiVersion: 'v1', kind: 'Pod', metadata, spec });
  await kubectl('a', ['-n', NAMESPACE, 'wait', 'pod/bench', '--for=condition=Ready', '--timeout=60s']);
  const origin = `headcut.dev/origin-namespace=${NAMESPACE}`;
  const selector = ['-A', '-l', origin, '-o', 'jsonpath={.items[0].metadata.namespace}'];
  const direct = { name: 'direct', cluster: 'b', namespace: await kubectl('b', ['get', 'pods', ...selector]) };
  const offloaded = { name: 'offloaded', cluster: 'a', namespace: NAMESPACE };
  await untilLogged(direct);
  const sides: [Side, Side] = [direct, offloaded];
  await compare('exec, echo of a line, direct / offloaded, ms', sides, echoTimes);
  await compare('exec, start to end of `true`, ms', sides, startTimes);
  await compare('logs, MB/s', sides, logRates);
  await compare(`exec, ${EXEC_BYTES / 1e6} MB of output, MB/s`, sides, execRates);
}

await main();
