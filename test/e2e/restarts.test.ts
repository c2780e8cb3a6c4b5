import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import { fault } from './faults.ts';
import {
  apply,
  evenDeployment,
  eventually,
  fingerprints,
  isReady,
  kubectl,
  list,
  offloadedNamespace,
  podSpec,
  readyPods,
  restartAgents,
  takesPods,
  twins,
} from './lab.ts';
import { peerOf } from './members.ts';

/** Whatever is restarted, on either side: no pod that ran is deleted, restarted or made again (product.md). */

/** The start of a whole cluster on a busy machine, and the time for which a peer that was lost often is only listened to. */
const WELL_WITHIN_MS = 150_000;
const DOWN_MS = 6_000;
const CLUSTERS = ['a', 'b', 'c'];
const ON_B = { nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } };

/** Nothing is to move here, however long something is away. */
const STAY = { failover: { after: 'Never', jobsAfter: 'Never' } };

function offloading(namespace: string): object {
  const metadata = { name: 'offloading', namespace };
  return { apiVersion: 'headcut.dev/v1alpha1', kind: 'Offloading', metadata, spec: STAY };
}

/** Runs on `b` for as long as something is broken, and ends meanwhile. */
function job(namespace: string): object {
  const template = {
    spec: { ...podSpec(ON_B, { command: ['sh', '-c', 'sleep 4; echo done'] }), restartPolicy: 'Never' },
  };
  const metadata = { name: 'job', namespace };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: { backoffLimit: 0, template } };
}

const ofApp = (pods: Pod[], app: string): Pod[] => pods.filter(({ metadata }) => metadata.labels?.app === app);
const ofJob = (pods: Pod[]): Pod[] => pods.filter(({ metadata }) => metadata.labels?.['job-name'] === 'job');
const uids = (pods: Pod[]): string[] => pods.map(({ metadata }) => metadata.uid ?? '').sort();

/** What is there of a namespace of `a`, at home and on its providers. */
async function everything(namespace: string): Promise<Record<string, Pod[]>> {
  const home = await list<Pod>('a', ['-n', namespace, 'pods']);
  return { a: home, b: await twins('b', namespace), c: await twins('c', namespace) };
}

async function startWork(namespace: string): Promise<Record<string, Pod[]>> {
  await apply('a', offloading(namespace), evenDeployment(namespace, 'web', 6));
  await readyPods('a', namespace, 6);
  const before = await everything(namespace);
  for (const cluster of ['b', 'c']) expect(before[cluster]).not.toEqual([]);
  await apply('a', job(namespace));
  await eventually(async () => expect(ofJob((await everything(namespace)).b ?? []).filter(isReady)).toHaveLength(1));
  return before;
}

async function allWell(): Promise<void> {
  await eventually(async () => {
    for (const cluster of CLUSTERS) {
      const nodes = await list<Node>(cluster, ['nodes']);
      expect(nodes.filter(takesPods), `nodes on ${cluster}`).toHaveLength(CLUSTERS.length);
    }
  }, WELL_WITHIN_MS);
}

/** @param restarted the cluster whose containers were started again by their kubelet */
async function expectSame(namespace: string, before: Record<string, Pod[]>, restarted?: string): Promise<void> {
  await allWell();
  await eventually(async () => {
    const after = await everything(namespace);
    for (const cluster of CLUSTERS) {
      const [was, is] = [before[cluster] ?? [], ofApp(after[cluster] ?? [], 'web')];
      expect(uids(is), `pods of ${cluster}`).toEqual(uids(was));
      expect(is.filter(isReady), `Ready pods of ${cluster}`).toHaveLength(was.length);
    }
    const untouched = (pods: Pod[] = []): Pod[] =>
      ofApp(pods, 'web').filter(
        ({ spec }) => restarted === undefined || ![restarted, `headcut-${restarted}`].includes(spec.nodeName ?? ''),
      );
    for (const cluster of CLUSTERS)
      expect(fingerprints(untouched(after[cluster])), `containers of ${cluster}`).toEqual(
        fingerprints(untouched(before[cluster])),
      );
    const jobs = ofJob(after.a ?? []);
    expect(jobs.map(({ status }) => status?.phase)).toEqual(['Succeeded']);
    expect(jobs[0]?.status?.containerStatuses?.[0]?.restartCount).toBe(0);
  }, WELL_WITHIN_MS);
}

describe.each([
  ['the consumer', 'a'],
  ['the provider', 'b'],
])('on %s', (_side, cluster) => {
  test.each(['agent', 'kube-apiserver', 'kine', 'kubelet'])('%s is killed and started again', async (what) => {
    await using namespace = await offloadedNamespace('a');
    await restartAgents(...CLUSTERS);
    await allWell();
    const before = await startWork(namespace.name);
    await using killed = await fault(`kill ${cluster} ${what}`);
    await sleep(DOWN_MS);
    await killed.end();
    await expectSame(namespace.name, before);
  });

  test('the machine loses its power, and comes back', { timeout: 400_000 }, async () => {
    await using namespace = await offloadedNamespace('a');
    await restartAgents(...CLUSTERS);
    await allWell();
    const before = await startWork(namespace.name);
    // What ends on a machine without power did not end: the job is done before that.
    if (cluster === 'b')
      await eventually(async () =>
        expect(ofJob((await everything(namespace.name)).a ?? [])[0]?.status?.phase).toBe('Succeeded'),
      );
    await using power = await fault(`power ${cluster}`);
    await sleep(DOWN_MS);
    await power.end();
    await expectSame(namespace.name, before, cluster);
  });
});

describe('an agent that starts while it cannot know what there is', () => {
  test.each([
    ['its peers are unreachable', ['cut a', 'kill a agent', 'kill b agent']],
    ['its API server does not answer', ['freeze b kube-apiserver', 'kill b agent']],
    ["its consumer's API server does not answer", ['freeze a kube-apiserver', 'kill a agent', 'kill b agent']],
  ])('deletes nothing: %s', async (_name, faults) => {
    await using namespace = await offloadedNamespace('a');
    await restartAgents(...CLUSTERS);
    await allWell();
    const before = await startWork(namespace.name);
    await using stack = new AsyncDisposableStack();
    for (const words of faults) stack.use(await fault(words));
    await sleep(2 * DOWN_MS);
    await stack.disposeAsync();
    await expectSame(namespace.name, before);
  });

  test('deletes nothing: the record of its peer was edited, which another member puts right', async () => {
    await using namespace = await offloadedNamespace('a');
    await restartAgents(...CLUSTERS);
    await allWell();
    const before = await startWork(namespace.name);
    await using lost = await fault('cut a');
    await using killed = await fault('kill a agent');
    await kubectl('a', ['patch', 'peer', 'b', '--type=merge', '-p', '{"spec": {"endpoints": ["192.0.2.1:7443"]}}']);
    await killed.end();
    await eventually(async () => {
      const { status } = await peerOf('a', 'b');
      expect(status?.conditions?.map(({ message }) => message).join()).toContain(
        'its record in this object cannot be used',
      );
    }, WELL_WITHIN_MS);
    await sleep(DOWN_MS);
    await lost.end();
    await expectSame(namespace.name, before);
  });
});
