import { expect, test } from 'vitest';
import { answered, askers, clusters, DNS_CACHE_MS, nodes, service } from './askers.ts';
import { apply, evenDeployment, eventually, offloadedNamespace, pod, podSpec, readyPods } from './lab.ts';

const PER_CLUSTER = 2;
/** Pods `hello-…`, as many on each cluster; gives their names, by the node as `a` knows it. */
async function helloEverywhere(namespace: string): Promise<Map<string, Set<string>>> {
  const replicas = PER_CLUSTER * clusters.length;
  await apply('a', evenDeployment(namespace, 'hello', replicas));
  const byNode = new Map<string, Set<string>>(nodes.map((node) => [node, new Set()]));
  for (const { metadata, spec } of await readyPods('a', namespace, replicas))
    byNode.get(spec.nodeName ?? '')?.add(metadata.name);
  for (const names of byNode.values()) expect(names.size).toBe(PER_CLUSTER);
  return byNode;
}

test('a Service with session affinity leads each client to one pod', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  await apply('a', service(name, 'hello', { sessionAffinity: 'ClientIP' }));
  const pods = await helloEverywhere(name);
  const all = [...pods.values()].flatMap((names) => [...names]);
  for (const asker of await askers(name)) {
    await eventually(async () => {
      const names = await answered(name, asker, 'http://hello');
      expect(names.size, asker).toBe(1);
      expect(all).toContain([...names][0]);
    }, DNS_CACHE_MS);
  }
});

test('a Service with internalTrafficPolicy Local leads to the pods of the cluster that asks, and to no others', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  await apply('a', service(name, 'hello', { internalTrafficPolicy: 'Local' }));
  const pods = await helloEverywhere(name);
  for (const [index, asker] of (await askers(name)).entries()) {
    const expected = pods.get(nodes[index] ?? '');
    await eventually(
      async () => expect(await answered(name, asker, 'http://hello'), asker).toEqual(expected),
      DNS_CACHE_MS,
    );
  }
  // One that has pods on one cluster alone is there for that one alone.
  await apply(
    'a',
    service(name, 'home', { internalTrafficPolicy: 'Local' }),
    pod(name, 'home', podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'a' } })),
  );
  await eventually(async () => expect(await answered(name, 'asker-a', 'http://home', 1)).toEqual(new Set(['home'])));
  for (const cluster of clusters.slice(1))
    expect(await answered(name, `asker-${cluster}`, 'http://home', 1), cluster).toEqual(new Set(['none']));
});

test('a Service that is another name leads to what that names at home', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  await apply('a', service(name, 'hello'), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'alias', namespace: name },
    spec: { type: 'ExternalName', externalName: `hello.${name}.svc.cluster.local` },
  });
  const pods = await helloEverywhere(name);
  const all = [...pods.values()].flatMap((names) => [...names]);
  for (const asker of await askers(name)) {
    await eventually(async () => {
      expect([...(await answered(name, asker, 'http://alias'))].sort(), asker).toEqual([...all].sort());
    }, DNS_CACHE_MS);
  }
});
