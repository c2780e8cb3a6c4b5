import { describe, expect, test } from 'vitest';
import type { KubeObject, Node, Pod } from '../../src/core/kube-objects.ts';
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
  twins,
} from './lab.ts';

/** What goes wrong on the provider alone: the pod's owner sees a right state, and an event that says why, within seconds. */

const WITHIN_MS = 20_000;
const ON_B = { nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } };

async function eventsOf(namespace: string, name: string): Promise<string> {
  const fields = ['--field-selector', `involvedObject.name=${name}`];
  const template = '{range .items[*]}{.type} {.reason}: {.message}{"\\n"}{end}';
  return kubectl('a', ['-n', namespace, 'get', 'events', ...fields, '-o', `jsonpath=${template}`]);
}

async function onlyTwin(namespace: string): Promise<{ namespace: string; name: string; pod: Pod }> {
  const [twin, ...others] = await twins('b', namespace);
  expect(others).toEqual([]);
  if (twin === undefined) throw new Error('the pod does not run on its provider');
  return { namespace: twin.metadata.namespace ?? '', name: twin.metadata.name, pod: twin };
}

/** A replica on `b` that something happens to; gives its name at home. */
async function replicaOnB(namespace: string): Promise<string> {
  await apply('a', deployment(namespace, 'web', 1, podSpec(ON_B)));
  const [web] = await readyPods('a', namespace, 1);
  return web?.metadata.name ?? '';
}

/** It is out of service at once, has failed with a reason that stands in an event too, and another one took its place. */
async function expectReplaced(namespace: string, name: string, reason: string, words: string): Promise<void> {
  await eventually(async () => {
    const failed = await get<Pod>('a', ['-n', namespace, 'pod', name]);
    expect(failed.status).toMatchObject({ phase: 'Failed', reason });
    expect(isReady(failed)).toBe(false);
    expect(await eventsOf(namespace, name)).toMatch(new RegExp(`Warning ${reason}: .*${words}`));
  }, WITHIN_MS);
  await eventually(async () => {
    const others = (await list<Pod>('a', ['-n', namespace, 'pods'])).filter(({ metadata }) => metadata.name !== name);
    expect(others.filter(isReady)).toHaveLength(1);
  }, 2 * WITHIN_MS);
}

describe('an offloaded pod that its provider', () => {
  test('evicts through the API is replaced', async () => {
    await using namespace = await offloadedNamespace('a');
    const name = await replicaOnB(namespace.name);
    const twin = await onlyTwin(namespace.name);
    const path = `/api/v1/namespaces/${twin.namespace}/pods/${twin.name}/eviction`;
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: twin.name } };
    await kubectl('b', ['create', '--raw', path, '-f', '-'], JSON.stringify(eviction));
    await expectReplaced(namespace.name, name, 'RemovedOnProvider', 'Eviction API');
  });

  test('preempts for a pod of its own is replaced', async () => {
    await using namespace = await offloadedNamespace('a');
    const node = await get<Node>('b', ['node', 'b']);
    const cpus = Number(node.status?.allocatable?.cpu ?? '0');
    // Nearly the whole node; it fits only where the other one leaves.
    const asking = (cpu: number) => ({ resources: { requests: { cpu: String(cpu) } } });
    await apply('a', deployment(namespace.name, 'web', 1, podSpec(ON_B, asking(cpus * 0.4))));
    const [web] = await readyPods('a', namespace.name, 1);
    await using stack = new AsyncDisposableStack();
    const gone = (what: string[]) => async () => void (await kubectl('b', ['delete', ...what, '--wait=false']));
    const priority = {
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'urgent' },
      value: 1000,
    };
    stack.defer(gone(['priorityclass', 'urgent']));
    stack.defer(gone(['-n', 'default', 'pod', 'urgent']));
    await apply('b', priority, pod('default', 'urgent', podSpec({ priorityClassName: 'urgent' }, asking(cpus * 0.6))));
    await eventually(async () => {
      const failed = await get<Pod>('a', ['-n', namespace.name, 'pod', web?.metadata.name ?? '']);
      expect(failed.status).toMatchObject({ phase: 'Failed', reason: 'RemovedOnProvider' });
      expect(await eventsOf(namespace.name, failed.metadata.name)).toContain('preempting');
    }, WITHIN_MS);
    await stack.disposeAsync();
    await eventually(async () => {
      const pods = await list<Pod>('a', ['-n', namespace.name, 'pods', '-l', 'app=web']);
      expect(pods.filter(isReady)).toHaveLength(1);
    }, 60_000);
  });

  test('loses by hand is replaced', async () => {
    await using namespace = await offloadedNamespace('a');
    const name = await replicaOnB(namespace.name);
    const twin = await onlyTwin(namespace.name);
    await kubectl('b', ['-n', twin.namespace, 'delete', 'pod', twin.name, '--wait=false']);
    await expectReplaced(namespace.name, name, 'RemovedOnProvider', 'deleted there');
  });

  test('loses by force is replaced', async () => {
    await using namespace = await offloadedNamespace('a');
    const name = await replicaOnB(namespace.name);
    const twin = await onlyTwin(namespace.name);
    await kubectl('b', ['-n', twin.namespace, 'delete', 'pod', twin.name, '--grace-period=0', '--force']);
    await expectReplaced(namespace.name, name, 'RemovedOnProvider', '');
  });

  test('loses with its ShadowPod is replaced', async () => {
    await using namespace = await offloadedNamespace('a');
    const name = await replicaOnB(namespace.name);
    const twin = await onlyTwin(namespace.name);
    await kubectl('b', ['-n', twin.namespace, 'delete', 'shadowpod', twin.name, '--wait=false']);
    await expectReplaced(namespace.name, name, 'LostOnProvider', 'not there any more');
    await eventually(async () => expect(await twins('b', namespace.name)).toHaveLength(1));
  });

  test('loses with its whole namespace is replaced, there too, with its Services', async () => {
    await using namespace = await offloadedNamespace('a');
    const service = { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] };
    const metadata = { name: 'web', namespace: namespace.name };
    await apply('a', { apiVersion: 'v1', kind: 'Service', metadata, spec: service });
    const name = await replicaOnB(namespace.name);
    const twin = await onlyTwin(namespace.name);
    await kubectl('b', ['delete', 'namespace', twin.namespace, '--wait=false']);
    await eventually(async () => {
      const failed = await get<Pod>('a', ['-n', namespace.name, 'pod', name]);
      expect(failed.status?.phase).toBe('Failed');
      expect(await eventsOf(namespace.name, name)).toMatch(/Warning (LostOnProvider|RemovedOnProvider)/);
    }, WITHIN_MS);
    await eventually(async () => {
      const pods = await list<Pod>('a', ['-n', namespace.name, 'pods']);
      expect(pods.filter(isReady).map(({ spec }) => spec.nodeName)).toEqual(['headcut-b']);
      const services = await list<KubeObject>('b', ['-n', twin.namespace, 'services']);
      expect(services.map((one) => one.metadata.name)).toEqual(['web']);
    }, 90_000);
  });

  test('cannot pull an image for waits, says so, and runs when it is given another one', async () => {
    await using namespace = await offloadedNamespace('a');
    const at = ['-n', namespace.name];
    await apply('a', pod(namespace.name, 'web', podSpec(ON_B, { image: '127.0.0.1:1/nothing:1' })));
    await eventually(async () => {
      const web = await get<Pod>('a', [...at, 'pod', 'web']);
      expect(web.status?.containerStatuses?.[0]?.state?.waiting?.reason).toMatch(/ImagePull/);
      expect(await eventsOf(namespace.name, 'web')).toMatch(/Warning Failed: .*127\.0\.0\.1:1/);
    }, WITHIN_MS);
    await kubectl('a', [...at, 'set', 'image', 'pod/web', 'c=headcut.dev/demo:0.1.0']);
    await readyPods('a', namespace.name, 1);
  });
});

test('a provider under pressure gets no new pods and says why; those that run there go on in their Services', async () => {
  await using namespace = await offloadedNamespace('a');
  await replicaOnB(namespace.name);
  const before = await readyPods('a', namespace.name, 1);
  const taint = 'example.com/memory-pressure:NoSchedule';
  const key = 'example.com/memory-pressure';
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => void (await kubectl('b', ['taint', 'node', 'b', `${key}-`])));
  await kubectl('b', ['taint', 'node', 'b', taint]);
  const ready = async () => {
    const node = await get<Node>('a', ['node', 'headcut-b']);
    return node.status?.conditions?.find(({ type }) => type === 'Ready');
  };
  await eventually(async () => {
    expect(await ready()).toMatchObject({
      status: 'True',
      reason: 'PeerClosed',
      message: expect.stringContaining(key),
    });
  }, WITHIN_MS);
  await kubectl('a', ['-n', namespace.name, 'scale', 'deployment/web', '--replicas=2']);
  await eventually(async () => {
    const pods = await list<Pod>('a', ['-n', namespace.name, 'pods']);
    const waiting = pods.find(({ spec }) => spec.nodeName === undefined);
    expect(waiting?.status?.conditions?.[0]?.reason).toBe('Unschedulable');
    expect(pods.filter(isReady).map(({ metadata }) => metadata.uid)).toEqual(
      before.map(({ metadata }) => metadata.uid),
    );
  }, WITHIN_MS);
  await stack.disposeAsync();
  await readyPods('a', namespace.name, 2);
});
