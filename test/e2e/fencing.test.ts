import { uptime } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../src/core/kube-objects.ts';
import { RESTART_GRACE_MS } from '../../src/core/membership/peer-state.ts';
import { forgetPeer } from '../../src/ops/forget.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { fault } from './faults.ts';
import {
  apply,
  deployment,
  eventually,
  get,
  isReady,
  kubectl,
  list,
  offloadedNamespace,
  podSpec,
  readyPods,
  restart,
  restartAgents,
  tryFederation,
  twins,
} from './lab.ts';
import { connect, joinAgain, seesReady } from './members.ts';
import { followRunLogs, type Interval, longestOverlap, type RunLog } from './run-log.ts';
import { preferring, singleton } from './singleton.ts';

/** Never two of what must be one (product.md, *Promises when things fail*). */

/** The shortest fencing time there is, and what the consumer adds (core/fencing/lease.ts). */
const FENCING = '10s';
const SAFE_AFTER_MS = 20_100;
/** Beyond that: heartbeats between the last answer and the fault, the move itself, and a busy machine. */
const MOVED_WITHIN_MS = SAFE_AFTER_MS + 15_000;
/** A cluster that starts, and a peer that was lost often. */
const CALM_WITHIN_MS = 90_000;

const theOne = (namespace: string) => get<Pod>('a', ['-n', namespace, 'pod', 'db-0']);

async function readyOn(namespace: string, isThere: (node: string) => boolean, withinMs = 60_000): Promise<Pod> {
  await eventually(async () => {
    const pod = await theOne(namespace);
    expect(isReady(pod)).toBe(true);
    expect(isThere(pod.spec.nodeName ?? '')).toBe(true);
  }, withinMs);
  return theOne(namespace);
}

const onC = (node: string): boolean => node === 'headcut-c';
const elsewhere = (node: string): boolean => node !== 'headcut-c';

/** A StatefulSet of one pod that is Ready on c, and the log of all its runs. */
async function singletonOnC(fencingAfter = FENCING) {
  const resources = new AsyncDisposableStack();
  const { name } = resources.use(await offloadedNamespace('a'));
  const logs = resources.use(followRunLogs(name));
  // A fresh agent holds no former failures against its peers.
  await restartAgents('a');
  await apply('a', singleton(name, fencingAfter, 'c'));
  const before = await readyOn(name, onC, CALM_WITHIN_MS);
  // It is followed by now.
  await eventually(async () => expect(await logs.intervals()).not.toHaveLength(0));
  return { name, logs, before, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** Of the agent's or the guard's Deployment on c. */
const roll = (...args: string[]): Promise<string> => kubectl('c', ['-n', 'headcut-system', ...args]);

/** What was stopped on c is gone from there, and the two pods that there were never ran at once. */
async function expectNeverTwo(namespace: string, logs: RunLog): Promise<Interval[]> {
  await eventually(async () => expect(await twins('c', namespace)).toEqual([]), CALM_WITHIN_MS);
  let intervals: Interval[] = [];
  await eventually(async () => {
    intervals = await logs.intervals();
    expect(new Set(intervals.map(({ container }) => container)).size, JSON.stringify(intervals)).toBe(2);
  });
  expect(longestOverlap(intervals).between).toEqual([]);
  return intervals;
}

describe('a pod of a StatefulSet', { timeout: 300_000 }, () => {
  test('whose provider is cut off is stopped there, and only then replaced', async () => {
    await using one = await singletonOnC();
    const { name, logs, before } = one;
    const condition = before.status?.conditions?.find(({ type }) => type === 'headcut.dev/Fencing');
    expect(condition?.message).toContain('out of contact with this cluster for 10 s');
    await using lost = await fault('cut c');
    const after = await readyOn(name, elsewhere, MOVED_WITHIN_MS);
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
    await lost.end();
    await expectNeverTwo(name, logs);
    expect((await theOne(name)).metadata.uid).toBe(after.metadata.uid);
  });

  test('is stopped also by an agent that was killed meanwhile', async () => {
    await using one = await singletonOnC();
    const { name, logs } = one;
    await using lost = await fault('cut c');
    await using killed = await fault('kill c agent');
    await readyOn(name, elsewhere, MOVED_WITHIN_MS);
    await killed.end();
    await lost.end();
    await expectNeverTwo(name, logs);
  });

  test('is stopped also where the agent stands still, or is not started again for long', async () => {
    await using one = await singletonOnC();
    const { name, logs } = one;
    await using lost = await fault('cut c');
    await using frozen = await fault('freeze c agent');
    await readyOn(name, elsewhere, MOVED_WITHIN_MS);
    await eventually(async () => expect(await twins('c', name)).toEqual([]));
    await frozen.end();
    await lost.end();
    await expectNeverTwo(name, logs);
  });

  test.each([
    ['the agent is a new one, which has heard nobody yet', 'headcut'],
    ['agent and guard are new ones', 'headcut, headcut-fence'],
  ])('is stopped also when %s', async (_what, names) => {
    await using one = await singletonOnC();
    const { name, logs } = one;
    await using lost = await fault('cut c');
    await sleep(5_000);
    const selector = `app.kubernetes.io/name in (${names})`;
    await kubectl('c', ['-n', 'headcut-system', 'delete', 'pods', '-l', selector, '--now']);
    await readyOn(name, elsewhere, MOVED_WITHIN_MS);
    await lost.end();
    await expectNeverTwo(name, logs);
  });

  test('is stopped also while an upgrade of agent and guard waits for their image', async () => {
    await using one = await singletonOnC();
    const { name, logs } = one;
    await using upgrade = new AsyncDisposableStack();
    for (const which of ['headcut', 'headcut-fence']) {
      await roll('set', 'image', `deployment/${which}`, '*=127.0.0.1:1/headcut:that-does-not-come');
      upgrade.defer(async () => {
        await roll('rollout', 'undo', `deployment/${which}`);
        await roll('rollout', 'status', `deployment/${which}`, '--timeout=60s');
      });
    }
    await eventually(async () => expect(await twins('c', name)).toEqual([]));
    // An agent that ends in order is expected back for a while.
    await readyOn(name, elsewhere, RESTART_GRACE_MS + MOVED_WITHIN_MS);
    await upgrade.disposeAsync();
    await expectNeverTwo(name, logs);
  });

  test('is stopped also where neither agent nor kubelet are there to do it', async () => {
    await using one = await singletonOnC();
    const { name, logs } = one;
    // Also the next guard knows all.
    await restart('c', 'headcut-fence');
    await using lost = await fault('cut c');
    await using frozen = await fault('freeze c agent');
    await using dead = await fault('kill c kubelet');
    await readyOn(name, elsewhere, MOVED_WITHIN_MS);
    await sleep(5_000);
    expect(longestOverlap(await logs.intervals()).between).toEqual([]);
    await dead.end();
    await frozen.end();
    await lost.end();
    await expectNeverTwo(name, logs);
  });

  test.each([
    ['cut off', 15_000],
    ['connected', 0],
  ])('does not start with a machine that comes back %s', async (_how, cutOffForMs) => {
    await using one = await singletonOnC();
    const { name, logs } = one;
    await using lost = await fault('cut c');
    await using off = await fault('power c');
    const lostAt = uptime();
    await readyOn(name, elsewhere, MOVED_WITHIN_MS);
    if (cutOffForMs === 0) await lost.end();
    await off.end();
    // Long enough for its kubelet to start what it finds.
    await sleep(cutOffForMs);
    await lost.end();
    const intervals = await expectNeverTwo(name, logs);
    const first = intervals.filter(({ container }) => container === intervals[0]?.container);
    expect(Math.max(...first.map(({ to }) => to)), JSON.stringify(intervals)).toBeLessThan(lostAt + 1);
  });

  test('is not replaced before it has stopped when its provider is forgotten, other than pods that are not fenced', async () => {
    // Longer than Kubernetes leaves the pods of a node that is gone, or a former member those of a former home.
    await using one = await singletonOnC('60s');
    const { name, logs } = one;
    await apply('a', deployment(name, 'web', 1, podSpec({ affinity: preferring('c') })));
    const webIs = (isThere: (node: string) => boolean) => async (): Promise<void> => {
      const ready = (await list<Pod>('a', ['-n', name, 'pods', '-l', 'app=web'])).filter(isReady);
      expect(ready.map(({ spec }) => isThere(spec.nodeName ?? ''))).toEqual([true]);
    };
    await eventually(webIs(onC));
    await using clients = new AsyncDisposableStack();
    const [home, away] = await Promise.all([connect('a'), connect('c')]);
    for (const client of [home, away]) clients.defer(() => client.close());
    // Also those of others, such as the lab's own demo.
    const bound = 'spec.nodeName=headcut-c,status.phase!=Failed,status.phase!=Succeeded';
    const onNodeC = await list<Pod>('a', ['pods', '-A', '--field-selector', bound]);
    await using lost = await fault('cut c');
    const options = { clock: systemClock, signal: AbortSignal.timeout(10_000), dryRun: false };
    expect(await forgetPeer(home, 'c', options)).toMatchObject({ pods: onNodeC.length, podsAwaited: 1 });
    await eventually(webIs(elsewhere), 15_000);
    await readyOn(name, elsewhere, 60_000 + MOVED_WITHIN_MS);
    await eventually(() => seesReady('a', 'b'));
    await lost.end();
    // The former member holds on to the other pod for as long as it takes this one for its home.
    await eventually(() => joinAgain(home, away));
    await expectNeverTwo(name, logs);
    await eventually(() => seesReady('a', 'b', 'c'), CALM_WITHIN_MS);
  });

  test('goes on through a break that is shorter than the fencing time, also where the guard is another one since', async () => {
    await using one = await singletonOnC();
    const { name, logs, before } = one;
    await restart('c', 'headcut-fence');
    await using lost = await fault('cut c');
    await sleep(5_000);
    await lost.end();
    // Longer than a guard that nobody tells anything would leave it.
    await sleep(SAFE_AFTER_MS);
    const after = await readyOn(name, onC, CALM_WITHIN_MS);
    expect(after.metadata.uid).toBe(before.metadata.uid);
    expect(new Set((await logs.intervals()).map(({ container }) => container)).size).toBe(1);
  });
});

test('other pods are fenced when they ask for it', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  const asking = deployment(name, 'web', 3) as { spec: { template: { metadata: { annotations?: object } } } };
  asking.spec.template.metadata.annotations = { 'headcut.dev/fencing': 'Required' };
  await apply('a', asking);
  const pods = await readyPods('a', name, 3);
  for (const { spec, status } of pods) {
    const isFenced = status?.conditions?.some(({ type }) => type === 'headcut.dev/Fencing') === true;
    expect(isFenced).toBe(spec.nodeName !== 'a');
  }
});

test('settings that make no sense are refused, with what would', async () => {
  const patch = (fencing: object) => tryFederation({ fencing });
  await patch({ mode: 'Required', after: '1m' });
  await expect(patch({ after: '1s' })).rejects.toThrow('must be a duration from 10s to 24h');
  await expect(patch({ mode: 'Sometimes' })).rejects.toThrow('Unsupported value');
});
