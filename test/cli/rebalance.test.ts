import { describe, expect, test } from 'vitest';
import type { KubeObject, Pod } from '../../src/core/kube-objects.ts';
import { FixedCluster, OBJECTS } from './cluster-fixture.ts';
import { run } from './run.ts';

/** Four replicas at home and none on b, which could take them; c is lost. */
function unevenCluster(): FixedCluster {
  const [sample] = OBJECTS.pods as [Pod];
  const pods: KubeObject[] = [1, 2, 3, 4].map((number) => ({
    ...sample,
    metadata: { ...sample.metadata, name: `web-${number}`, uid: `uid-${number}` },
  }));
  return new FixedCluster({ ...OBJECTS, pods });
}

describe('rebalance', () => {
  test('moves one replica after the other until they are even', async () => {
    const cluster = unevenCluster();
    const { code, out } = await run(['rebalance', 'demo'], cluster.client);
    expect(code).toBe(0);
    expect(cluster.writes).toEqual([
      'create pods/eviction web-1',
      'create pods/eviction web-2',
      'create pods/eviction web-3',
    ]);
    expect(out).toContain('moving demo/web-1 from a; headcut-b has the fewest');
    expect(out).toMatch(/the replicas are even, 3 moves made\n$/);
  });

  test('says what it would do', async () => {
    const cluster = unevenCluster();
    const { out } = await run(['rebalance', 'demo', '--dry-run'], cluster.client);
    expect(cluster.writes).toEqual([]);
    expect(out).toContain('1 replica would be moved first');
  });

  test('gives up on replicas that something else keeps together', async () => {
    const cluster = unevenCluster();
    const { create } = cluster.client;
    // What is evicted is made anew at the same place.
    cluster.client.create = ((type: never, object: KubeObject, options: never) => {
      const before = structuredClone(cluster.objects.pods ?? []);
      const made = create(type, object, options);
      cluster.objects.pods = before;
      return made;
    }) as typeof create;
    const { code, out } = await run(['rebalance', 'demo'], cluster.client);
    expect(code).toBe(0);
    expect(out).toContain('demo/web-1 stays: its replicas are no more even after a move');
  });
});
