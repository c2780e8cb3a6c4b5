import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
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
  pod,
  podSpec,
  readyPods,
  restartAgents,
  tryFederation,
  twins,
} from './lab.ts';

/** What becomes of pods on their provider while the cluster that they come from is away. */

const WITHIN_MS = 30_000;
const BACK_WITHIN_MS = 90_000;
const ON_B = { nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } };

/** The consumer stands still: its providers hear nothing, and nothing is decided there meanwhile. */
async function consumerLost(): Promise<{ end(): Promise<void> } & AsyncDisposable> {
  const lost = await fault('freeze a');
  await eventually(async () => expect(isReady(await get<Node>('b', ['node', 'headcut-a']))).toBe(false));
  return lost;
}

async function twinOf(namespace: string, name: string): Promise<Pod> {
  const found = (await twins('b', namespace)).find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`${name} does not run on its provider`);
  return found;
}

const onProvider = ({ metadata }: Pod, ...args: string[]) => kubectl('b', ['-n', metadata.namespace ?? '', ...args]);

async function evict(twin: Pod): Promise<void> {
  const { namespace, name } = twin.metadata;
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } };
  const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
  await kubectl('b', ['create', '--raw', path, '-f', '-'], JSON.stringify(eviction));
}

async function eventsOf(namespace: string, name: string): Promise<string> {
  const fields = ['--field-selector', `involvedObject.name=${name}`];
  const template = '{range .items[*]}{.type} {.reason}: {.message}{"\\n"}{end}';
  return kubectl('a', ['-n', namespace, 'get', 'events', ...fields, '-o', `jsonpath=${template}`]);
}

describe('while its consumer is lost, a pod', () => {
  test('goes on, is restarted when it crashes and made again when it is removed; its owner sees all that later', async () => {
    await using namespace = await offloadedNamespace('a');
    const at = namespace.name;
    await restartAgents('a', 'b');
    await apply('a', ...['stays', 'crashes', 'evicted'].map((name) => pod(at, name, podSpec(ON_B))));
    const command = ['sh', '-c', 'trap "exit 3" TERM; sleep 3600 & wait'];
    await apply('a', pod(at, 'once', podSpec({ ...ON_B, restartPolicy: 'Never' }, { command })));
    const before = await readyPods('a', at, 4);
    const [stays, evicted] = [await twinOf(at, 'stays'), await twinOf(at, 'evicted')];
    await using lost = await consumerLost();

    // The command ends with the container, by itself or killed.
    await onProvider(await twinOf(at, 'crashes'), 'exec', 'crashes', '--', 'sh', '-c', 'kill 1').catch((error) =>
      expect(String(error)).toContain('exit code 137'),
    );
    await evict(evicted);
    await evict(await twinOf(at, 'once'));
    await eventually(async () => {
      const crashed = await twinOf(at, 'crashes');
      expect(crashed.status?.containerStatuses?.[0]?.restartCount).toBe(1);
      expect(isReady(crashed)).toBe(true);
      const again = await twinOf(at, 'evicted');
      expect(again.metadata.uid).not.toBe(evicted.metadata.uid);
      expect(isReady(again)).toBe(true);
      expect((await twins('b', at)).map(({ metadata }) => metadata.name)).not.toContain('once');
    }, WITHIN_MS);
    expect((await twinOf(at, 'stays')).metadata.uid).toBe(stays.metadata.uid);

    await lost.end();
    await eventually(async () => {
      const after = await list<Pod>('a', ['-n', at, 'pods']);
      const uids = (pods: Pod[]) => pods.map(({ metadata }) => metadata.uid).sort();
      expect(uids(after)).toEqual(uids(before));
      const shown = Object.fromEntries(after.map((one) => [one.metadata.name, one]));
      for (const name of ['stays', 'crashes', 'evicted']) expect(shown[name] && isReady(shown[name])).toBe(true);
      expect(shown.crashes?.status?.containerStatuses?.[0]?.restartCount).toBe(1);
      expect(shown.once?.status).toMatchObject({ phase: 'Failed', reason: 'RemovedOnProvider' });
      expect(await eventsOf(at, 'evicted')).toMatch(/Warning MadeAgain: .*made again there/);
      expect(await eventsOf(at, 'once')).toContain('RemovedOnProvider');
    }, BACK_WITHIN_MS);
  });

  test('stops after the time that its namespace gives, and is replaced when the consumer is back', async () => {
    await using namespace = await offloadedNamespace('a');
    const at = namespace.name;
    await restartAgents('a', 'b');
    const metadata = { name: 'offloading', namespace: at };
    const spec = { consumerLost: { stopAfter: '10s' } };
    await apply('a', { apiVersion: 'headcut.dev/v1alpha1', kind: 'Offloading', metadata, spec });
    await apply('a', deployment(at, 'web', 1, podSpec(ON_B)));
    const [before] = await readyPods('a', at, 1);
    await using lost = await consumerLost();
    expect((await twins('b', at)).filter(isReady)).toHaveLength(1);
    await eventually(async () => expect(await twins('b', at)).toEqual([]), WITHIN_MS);
    await lost.end();
    const name = before?.metadata.name ?? '';
    await eventually(async () => {
      const pods = await list<Pod>('a', ['-n', at, 'pods']);
      const stopped = pods.find((one) => one.metadata.name === name);
      expect(stopped?.status).toMatchObject({ phase: 'Failed', reason: 'ConsumerLost' });
      expect(await eventsOf(at, name)).toMatch(/Warning ConsumerLost: .*stopAfter/);
      expect(pods.filter(isReady)).toHaveLength(1);
    }, BACK_WITHIN_MS);
  });
});

test('a time that makes no sense is refused, with what does', async () => {
  const patch = (stopAfter: string) => tryFederation({ consumerLost: { stopAfter } });
  await patch('10m');
  await patch('Never');
  await expect(patch('1s')).rejects.toThrow('must be Never or a duration from 10s');
  await expect(patch('soon')).rejects.toThrow('must be Never or a duration');
});
