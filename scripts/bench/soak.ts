/**
 * `npm run soak -- [--minutes N] [--seed S]`: Deployments, StatefulSets, Jobs and a steady load of requests on three clusters, while
 * faults come at random, the same ones for the same seed; then calm, and a look at everything that must hold whatever happened.
 * Prints what happened, and ends with 1 when something did not hold.
 */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/core/coded-error.ts';
import type { KubeObject, Pod } from '../../src/core/kube-objects.ts';
import { ORIGIN_UID_LABEL } from '../../src/core/labels.ts';
import { fault } from '../../test/e2e/faults.ts';
import { followRunLogs, type Interval, longestOverlap } from '../../test/e2e/run-log.ts';
import { kubectl, offloadedNamespace, processWith, row } from './bench-lab.ts';
import { isReady, ObservedWorld } from './observed-world.ts';
import { PodHistory } from './soak-history.ts';
import { type PlannedFault, planFaults } from './soak-plan.ts';
import { SoakRequests } from './soak-requests.ts';
import {
  lookAtForeign,
  makeJob,
  makeWorkload,
  markOf,
  removeForeign,
  SINGLETONS,
  WEB_REPLICAS,
} from './soak-workload.ts';

const CLUSTERS = ['a', 'b', 'c'];
const JOB_EVERY_S = 15;
/** What is promised: every Deployment back this long after the last fault. */
const BACK_WITHIN_MS = 60_000;
/** Jobs, fenced pods and superseded copies: the longest hold-offs of peers that were lost often, and starts of clusters. */
const CALM_WITHIN_MS = 240_000;
/** Of the agent's own memory, beyond what it had after its first minute. */
const GROWTH = { share: 1.3, bytes: 20 * 1024 * 1024 };

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '3' }, seed: { type: 'string', default: '1' } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed)) throw new Error('usage: soak [--minutes N] [--seed WHOLE NUMBER]');

const violations: string[] = [];
const say = (message: string): void => void process.stdout.write(`[${at().toFixed(1).padStart(7)}s] ${message}\n`);
const startedAt = performance.now();
const at = (): number => (performance.now() - startedAt) / 1000;
/** What the logs of the singletons' containers count from, s. */
const uptimeAtStart = uptime();

const namespace = `soak-${seed}-${process.pid}`;
await using _namespace = await offloadedNamespace(namespace);
try {
  await makeWorkload(namespace);
  await run();
} catch (error) {
  violations.push(`the run did not come to its end: ${messageOf(error)}`);
}
for (const violation of violations) process.stdout.write(`VIOLATION: ${violation}\n`);
process.stdout.write(violations.length === 0 ? 'everything held\n' : `${violations.length} violations\n`);
process.exitCode = violations.length === 0 ? 0 : 1;
await removeForeign(namespace).catch((error) => say(`not removed: ${messageOf(error)}`));

async function run(): Promise<void> {
  using world = new ObservedWorld({ home: 'a', name: namespace });
  for (const cluster of CLUSTERS) await world.follow(cluster);
  const history = new PodHistory();
  for (const cluster of CLUSTERS) {
    const { pods } = world.view(cluster);
    const note = (pod: Pod): void => (cluster === 'a' ? history.home(pod) : history.twin(cluster, pod));
    const tell = tellSingleton(cluster);
    pods.onChange((_key, after, before) => {
      if (after !== undefined) note(after);
      if (after !== undefined) tell(after);
      else if (before !== undefined) tell(before, 'gone');
    });
    for (const pod of pods.list()) note(pod);
  }
  await using logs = new AsyncDisposableStack();
  const runLogs = SINGLETONS.map((name) => logs.use(followRunLogs(markOf(namespace, name))));
  await world.when(
    'everything Ready at the beginning',
    () => isBack(world) && areSingletonsReady(world),
    CALM_WITHIN_MS,
  );
  await using requests = new SoakRequests(namespace);
  await requests.start();
  const foreign = await lookAtForeign(namespace);
  const memoryBefore = agentMemory();
  const faults = planFaults(seed, minutes * 60);
  say(`seed ${seed}: ${faults.length} faults in ${minutes} minutes`);
  const jobs = await withJobs(() => makeFaults(faults, requests));
  say('the last fault is over');
  const calmSince = performance.now();
  const back = await world
    .when('the Deployment has its replicas', () => isBack(world), CALM_WITHIN_MS)
    .catch(noteFailure);
  const backAfterMs = (back ?? Number.POSITIVE_INFINITY) - calmSince;
  if (backAfterMs > BACK_WITHIN_MS)
    violations.push(`the Deployment had its replicas ${(backAfterMs / 1000).toFixed(1)} s after the last fault`);
  await eventually(
    'all Jobs complete',
    () => areJobsComplete(jobs),
    () => whyNotComplete(jobs),
  );
  await eventually('the StatefulSets have their pods', async () => areSingletonsReady(world));
  await eventually('no orphans', async () => orphans(world).length === 0);
  // Those that were touched have other versions or UIDs for ever.
  await eventually('foreign objects as they were', async () => (await lookAtForeign(namespace)) === foreign);
  violations.push(...history.violations);
  for (const [index, name] of SINGLETONS.entries()) {
    const intervals = (await runLogs[index]?.intervals()) ?? [];
    const { seconds: twice, between } = longestOverlap(intervals);
    if (twice > 0)
      violations.push(`two pods of ${name} ran at once for ${twice.toFixed(2)} s: ${between.map(inWords).join(', ')}`);
    if (intervals.length === 0) violations.push(`no log of ${name} was found`);
    row(`runs of ${name}, seconds for which two ran at once`, `${intervals.length}  ${twice.toFixed(2)}`);
  }
  compareMemory(memoryBefore);
  row('the Deployment was back after the last fault, s', (backAfterMs / 1000).toFixed(1));
  row('pods sent to peers, Jobs completed', `${history.pods}  ${jobs.length}`);
  const { sent, failed } = requests.countSince(0);
  row('requests, failed', `${sent}  ${failed}`);
}

/** On the time scale of what else is printed. */
function inWords({ container, from, to }: Interval): string {
  const [start, end] = [from, to].map((time) => (time - uptimeAtStart).toFixed(1));
  return `on ${container} from ${start} to ${end}`;
}

/** Tells what becomes of the pods of which there must be one, so that a violation can be understood. */
function tellSingleton(where: string): (pod: Pod, end?: string) => void {
  const told = new Map<string, string>();
  return (pod, end) => {
    const { metadata, spec, status } = pod;
    const { name, uid = '', deletionTimestamp } = metadata;
    if (!SINGLETONS.some((one) => name === `${one}-0`)) return;
    const going = deletionTimestamp === undefined ? '' : ', going';
    const state = end ?? `${status?.phase}${isReady(pod) ? ', Ready' : ''}${going}`;
    const origin = metadata.labels?.[ORIGIN_UID_LABEL] ?? uid;
    const words = `${where}: ${name} (${origin.slice(0, 8)}) on ${spec.nodeName ?? 'no node'}: ${state}`;
    if (told.get(uid) === words) return;
    told.set(uid, words);
    say(words);
  };
}

async function makeFaults(faults: readonly PlannedFault[], requests: SoakRequests): Promise<void> {
  const from = performance.now();
  await Promise.all(
    faults.map(async ({ words, atS, forS }) => {
      await sleep(atS * 1000 - (performance.now() - from));
      const since = Date.now();
      try {
        await using active = await fault(words);
        say(`${words} (for ${forS} s)`);
        await sleep(forS * 1000);
        await active.end();
        const { sent, failed } = requests.countSince(since);
        say(`${words} is over; of ${sent} requests since its start ${failed} failed`);
      } catch (error) {
        // What another fault has taken away already cannot be hit.
        say(`${words}: ${(error as Error).message.split('\n')[0]}`);
      }
      // Without it there is one figure less; what must hold is looked at all the same.
      if (words === 'power a') await requests.start().catch((error) => say(`no requests: ${messageOf(error)}`));
    }),
  );
}

/** Makes a Job every few seconds while `work` goes on. @returns their names */
async function withJobs(work: () => Promise<void>): Promise<string[]> {
  const done = new AbortController();
  const jobs: string[] = [];
  const making = (async () => {
    while (!done.signal.aborted) {
      const name = `job-${jobs.length}`;
      // An API server that is away makes none; the next one is tried later.
      if (
        await makeJob(namespace, name).then(
          () => true,
          () => false,
        )
      )
        jobs.push(name);
      await sleep(JOB_EVERY_S * 1000, undefined, { signal: done.signal }).catch(() => {});
    }
  })();
  try {
    await work();
  } finally {
    done.abort();
    await making;
  }
  return jobs;
}

function isBack(world: ObservedWorld): boolean {
  const pods = world
    .view('a')
    .pods.list()
    .filter((pod) => pod.metadata.labels?.app === 'web' && pod.metadata.deletionTimestamp === undefined);
  return pods.length === WEB_REPLICAS && pods.every(isReady);
}

function areSingletonsReady(world: ObservedWorld): boolean {
  return SINGLETONS.every((name) => {
    const pod = world.view('a').pods.get(`${namespace}/${name}-0`);
    return pod !== undefined && pod.metadata.deletionTimestamp === undefined && isReady(pod);
  });
}

interface Job extends KubeObject {
  status?: { conditions?: { type: string; status: string }[]; succeeded?: number };
  spec: { completions: number };
}

async function areJobsComplete(names: readonly string[]): Promise<boolean> {
  return (await incompleteJobs(names)).length === 0;
}

/** @returns what there is of them, by name */
async function incompleteJobs(names: readonly string[]): Promise<[name: string, job: Job | undefined][]> {
  const { items } = JSON.parse(await kubectl('a', ['-n', namespace, 'get', 'jobs', '-o', 'json'])) as { items: Job[] };
  const jobs = new Map(items.map((job) => [job.metadata.name, job]));
  return names.map((name): [string, Job | undefined] => [name, jobs.get(name)]).filter(([, job]) => !isComplete(job));
}

function isComplete(job: Job | undefined): boolean {
  if (job === undefined) return false;
  const { status, spec } = job;
  const complete = status?.conditions?.some(({ type, status: is }) => type === 'Complete' && is === 'True') === true;
  return complete && status?.succeeded === spec.completions;
}

/** The Jobs that hang, their pods at home and on peers, and what was said of these. Short: logs are often cut at their beginning. */
async function whyNotComplete(names: readonly string[]): Promise<string> {
  const parts: string[] = [];
  for (const [name, job] of await incompleteJobs(names)) {
    parts.push(`${name}: ${job === undefined ? 'there is no such Job' : JSON.stringify(job.status)}`);
    const ofJob = ['-l', `batch.kubernetes.io/job-name=${name}`, '-o', 'json'];
    for (const cluster of CLUSTERS) {
      const { items } = JSON.parse(await kubectl(cluster, ['get', 'pods', '-A', ...ofJob])) as { items: Pod[] };
      for (const pod of items) parts.push(`  ${cluster}: ${podInWords(pod)}`);
      for (const line of await agentSays(cluster, `${namespace}/${name}-`)) parts.push(`  ${cluster}: ${line}`);
    }
    const events = ['-n', namespace, 'get', 'events', '--field-selector', 'type=Warning', '--no-headers'];
    const about = (await kubectl('a', events)).split('\n').filter((line) => line.includes(`/${name}`));
    parts.push(...about.slice(-10).map((line) => `  ${line}`));
  }
  return parts.join('\n');
}

/** The latest that an agent, and the one before its last restart, logged about something. */
async function agentSays(cluster: string, about: string): Promise<string[]> {
  const logs = ['-n', 'headcut-system', 'logs', 'deployment/headcut', '-c', 'headcut', '--tail=5000'];
  const texts = ['--previous', ''].map((which) =>
    kubectl(
      cluster,
      [...logs, which].filter((arg) => arg !== ''),
    ).catch(() => ''),
  );
  const lines = (await Promise.all(texts)).join('').split('\n');
  return lines
    .filter((line) => line.includes(about))
    .slice(-5)
    .map((line) => line.slice(0, 400));
}

function podInWords({ metadata, spec, status }: Pod): string {
  const { name, uid = '', labels, deletionTimestamp, finalizers = [] } = metadata;
  const { phase, reason = '', message = '', containerStatuses = [] } = status ?? {};
  const states = containerStatuses.map(({ state }) => JSON.stringify(state)).join(' ');
  const origin = labels?.[ORIGIN_UID_LABEL] ?? uid;
  const end = deletionTimestamp === undefined ? '' : ` going since ${deletionTimestamp} (${finalizers.join(' ')})`;
  return `${name} (${origin.slice(0, 8)}) on ${spec.nodeName}: ${phase} ${reason} ${message}${end} ${states}`;
}

/** Real pods on providers that no pod at home stands for. */
function orphans(world: ObservedWorld): string[] {
  const wanted = new Set(
    world
      .view('a')
      .pods.list()
      .map(({ metadata }) => metadata.uid),
  );
  return ['b', 'c'].flatMap((cluster) =>
    world
      .view(cluster)
      .pods.list()
      .filter(({ metadata }) => !wanted.has(metadata.labels?.[ORIGIN_UID_LABEL]))
      .map(({ metadata }) => `${cluster}/${metadata.name}`),
  );
}

/** @param why says why it does not hold */
async function eventually(what: string, holds: () => Promise<boolean>, why?: () => Promise<string>): Promise<void> {
  const end = performance.now() + CALM_WITHIN_MS;
  while (performance.now() < end) {
    if (await holds().catch(() => false)) return;
    await sleep(1_000);
  }
  const reason = await why?.().catch(messageOf);
  violations.push(`not within ${CALM_WITHIN_MS / 1000} s after the last fault: ${what}\n${reason ?? ''}`.trimEnd());
}

function noteFailure(error: unknown): undefined {
  violations.push(messageOf(error));
}

/** Anonymous memory of each cluster's agent, bytes. */
function agentMemory(): Map<string, number> {
  return new Map(
    CLUSTERS.map((cluster) => {
      const pid = processWith(`NODE_NAME=${cluster}`, 'agent.mjs');
      const text = pid === undefined ? '' : readFileSync(`/proc/${pid}/status`, 'utf8');
      return [cluster, Number(/^RssAnon:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024];
    }),
  );
}

function compareMemory(before: ReadonlyMap<string, number>): void {
  for (const [cluster, now] of agentMemory()) {
    const first = before.get(cluster) ?? 0;
    const mb = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0);
    row(`memory of the agent of ${cluster} before and after, MB`, `${mb(first)}  ${mb(now)}`);
    if (now > first * GROWTH.share + GROWTH.bytes)
      violations.push(`the agent of ${cluster} grew from ${mb(first)} to ${mb(now)} MB`);
  }
}
