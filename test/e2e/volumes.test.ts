import { expect, test } from 'vitest';
import type { KubeObject, Pod } from '../../src/core/kube-objects.ts';
import { apply, eventually, IMAGE, kubectl, list, offloadedNamespace, readyPods, restartAgents } from './lab.ts';

/** Data that stays where it was written: a StatefulSet over three members, each replica with a volume of its own. */

const REPLICAS = 3;

/** On each member one, whatever else runs there; each writes its name into its volume, once. */
function database(namespace: string): object {
  const labels = { app: 'db' };
  const script = 'test -e /data/row || hostname > /data/row; while true; do sleep 1; done';
  const container = {
    ...{ name: 'c', image: IMAGE, command: ['sh', '-c', script] },
    volumeMounts: [{ name: 'data', mountPath: '/data', subPath: 'rows' }],
  };
  const spread = { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' };
  const spec = {
    terminationGracePeriodSeconds: 1,
    securityContext: { fsGroup: 2000 },
    topologySpreadConstraints: [{ ...spread, labelSelector: { matchLabels: labels } }],
    containers: [container],
  };
  const claim = {
    storageClassName: 'headcut',
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '64Mi' } },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace },
    spec: {
      ...{ serviceName: 'db', replicas: REPLICAS, podManagementPolicy: 'Parallel', selector: { matchLabels: labels } },
      template: { metadata: { labels }, spec },
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claim }],
    },
  };
}

const nodesOf = (pods: Pod[]): Record<string, string> =>
  Object.fromEntries(pods.map(({ metadata, spec }) => [metadata.name, spec.nodeName ?? '']));

async function rows(namespace: string): Promise<string[]> {
  const read = (index: number) => kubectl('a', ['-n', namespace, 'exec', `db-${index}`, '--', 'cat', '/data/row']);
  return (await Promise.all([0, 1, 2].map(read))).map((text) => text.trim());
}

/** Claims of that namespace's twin on a provider. */
const twinClaims = (cluster: string, namespace: string) =>
  list<KubeObject>(cluster, ['pvc', '-A', '-l', `headcut.dev/origin-namespace=${namespace}`]);

test('each replica has a volume of its own where it runs, comes back to it, and nothing is left when the namespace is gone', async () => {
  let name = '';
  {
    await using namespace = await offloadedNamespace('a');
    name = namespace.name;
    await apply('a', database(name));
    const first = nodesOf(await readyPods('a', name, REPLICAS));
    expect(Object.values(first).sort()).toEqual(['a', 'headcut-b', 'headcut-c']);
    expect(await rows(name)).toEqual(['db-0', 'db-1', 'db-2']);
    expect(await twinClaims('b', name)).toHaveLength(1);

    // Agents that start anew, and pods that are made anew on the same claims.
    await restartAgents('a', 'b');
    await kubectl('a', ['-n', name, 'delete', 'pod', '--all', '--wait=true', '--timeout=60s']);
    await eventually(async () => expect(nodesOf(await readyPods('a', name, REPLICAS))).toEqual(first), 60_000);
    expect(await rows(name)).toEqual(['db-0', 'db-1', 'db-2']);

    // Without a pod the twin namespace stays, for what is in it.
    await kubectl('a', ['-n', name, 'scale', 'statefulset/db', '--replicas=0']);
    await eventually(async () => expect(await list<Pod>('a', ['-n', name, 'pods'])).toEqual([]), 60_000);
    expect(await twinClaims('c', name)).toHaveLength(1);
  }
  await eventually(async () => {
    for (const provider of ['b', 'c']) expect(await twinClaims(provider, name)).toEqual([]);
    const volumes = await list<KubeObject & { spec: { claimRef?: { namespace?: string } } }>('a', ['pv']);
    expect(volumes.filter(({ spec }) => spec.claimRef?.namespace === name)).toEqual([]);
  }, 60_000);
});
