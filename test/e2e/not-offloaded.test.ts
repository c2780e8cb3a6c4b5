import { describe, expect, test } from 'vitest';
import type { KubeObject, Pod } from '../../src/core/kube-objects.ts';
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
} from './lab.ts';

/** Nothing of a namespace that nobody offloaded leaves its cluster, whatever its pods ask for. */

const EVERYTHING = { tolerations: [{ operator: 'Exists' }] };
const POLICY = 'headcut-virtual-nodes';
const secret = (namespace: string): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'private', namespace },
  stringData: { key: 'value' },
});
const reading = { envFrom: [{ secretRef: { name: 'private' } }] };

async function plainNamespace(): Promise<{ name: string } & AsyncDisposable> {
  const namespace = await offloadedNamespace('a');
  await kubectl('a', ['label', 'namespace', namespace.name, 'headcut.dev/offload-']);
  return namespace;
}

async function expectNothingOf(namespace: string): Promise<void> {
  for (const peer of ['b', 'c']) {
    const names = (await list<KubeObject>(peer, ['namespaces'])).map(({ metadata }) => metadata.name);
    expect(names.filter((name) => name.startsWith(`${namespace}-`))).toEqual([]);
    const secrets = await list<KubeObject>(peer, ['secrets', '-A']);
    expect(secrets.filter(({ metadata }) => metadata.namespace?.startsWith(`${namespace}-`))).toEqual([]);
  }
}

describe('in a namespace that nobody offloaded', () => {
  test('a Deployment that tolerates everything runs at home', async () => {
    await using namespace = await plainNamespace();
    await apply('a', secret(namespace.name), deployment(namespace.name, 'system', 6, podSpec(EVERYTHING, reading)));
    const pods = await readyPods('a', namespace.name, 6);
    expect(new Set(pods.map(({ spec }) => spec.nodeName))).toEqual(new Set(['a']));
    await expectNothingOf(namespace.name);
  });

  test('a pod that names a peer is refused, and told the label', async () => {
    await using namespace = await plainNamespace();
    const named = pod(namespace.name, 'leak', podSpec({ nodeName: 'headcut-b' }));
    await expect(apply('a', named)).rejects.toThrow('headcut.dev/offload=true');
    await expectNothingOf(namespace.name);
  });

  test('a pod that selects a peer is told the label by the scheduler', async () => {
    await using namespace = await plainNamespace();
    const nodeSelector = { 'kubernetes.io/hostname': 'headcut-b' };
    await apply('a', pod(namespace.name, 'leak', podSpec({ ...EVERYTHING, nodeSelector })));
    await eventually(async () => {
      const { status } = await get<Pod>('a', ['-n', namespace.name, 'pod', 'leak']);
      const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
      expect(scheduled?.message).toContain('headcut.dev/offload=true');
    });
    await expectNothingOf(namespace.name);
  });

  test('the agent sends nothing of a pod that got there all the same, and says why', async () => {
    await using namespace = await plainNamespace();
    const binding = await get<KubeObject>('a', ['validatingadmissionpolicybinding', POLICY]);
    await kubectl('a', ['delete', 'validatingadmissionpolicybinding', POLICY]);
    try {
      await apply('a', secret(namespace.name));
      const leak = pod(namespace.name, 'leak', podSpec({ nodeName: 'headcut-b' }, reading));
      // The API server notices a moment later that there is no binding.
      await eventually(async () => void (await apply('a', leak)));
      await eventually(async () => {
        const { status } = await get<Pod>('a', ['-n', namespace.name, 'pod', 'leak']);
        expect(status).toMatchObject({ phase: 'Failed', reason: 'NotOffloaded' });
        expect(status?.message).toContain('headcut.dev/offload=true');
      });
      const events = await kubectl('a', ['-n', namespace.name, 'get', 'events', '-o', 'jsonpath={.items[*].reason}']);
      expect(events).toContain('NotOffloaded');
      await expectNothingOf(namespace.name);
    } finally {
      const { metadata, ...rest } = binding;
      await apply('a', { ...rest, metadata: { name: metadata.name, labels: metadata.labels } });
    }
  });
});

test('pods that are there already run on when the label is taken away, also through a restart of the agent; new ones stay at home', async () => {
  await using namespace = await offloadedNamespace('a');
  const spec = podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } });
  await apply('a', deployment(namespace.name, 'web', 2, spec));
  const before = await readyPods('a', namespace.name, 2);
  await kubectl('a', ['label', 'namespace', namespace.name, 'headcut.dev/offload-']);
  await kubectl('a', ['-n', 'headcut-system', 'rollout', 'restart', 'deployment', 'headcut']);
  await kubectl('a', ['-n', 'headcut-system', 'rollout', 'status', 'deployment', 'headcut', '--timeout=60s']);
  await apply('a', deployment(namespace.name, 'other', 2, podSpec(EVERYTHING)));
  await eventually(async () => {
    const pods = await list<Pod>('a', ['-n', namespace.name, 'pods']);
    const others = pods.filter(({ metadata }) => metadata.labels?.app === 'other');
    expect(others.filter(isReady).map((one) => one.spec.nodeName)).toEqual(['a', 'a']);
    const kept = pods.filter(({ metadata }) => metadata.labels?.app === 'web');
    expect(
      kept
        .filter(isReady)
        .map(({ metadata }) => metadata.uid)
        .sort(),
    ).toEqual(before.map(({ metadata }) => metadata.uid).sort());
  });
});
