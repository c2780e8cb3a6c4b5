import { describe, expect, test } from 'vitest';
import { layOut } from '../../src/core/console/map-layout.ts';
import { federationView } from '../../src/core/console/members-view.ts';
import { podView } from '../../src/core/console/pod-view.ts';
import { timeView } from '../../src/core/console/time-view.ts';
import { workloadsView } from '../../src/core/console/workloads-view.ts';
import type { World } from '../../src/core/explain/world.ts';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import type { FederationObject, PeerObject } from '../../src/core/membership/peer-object.ts';
import { recordedFederation } from './recorded-federation.ts';

const now = Date.parse('2026-01-01T12:00:00Z');

function worldOf(members: number): World & { makers: Parameters<typeof workloadsView>[1] } {
  const { objects } = recordedFederation({ members, now });
  const list = <T>(plural: string): T[] => (objects[plural] ?? []) as unknown as T[];
  return {
    federation: list<FederationObject>('federations')[0] ?? { metadata: { name: 'headcut' } },
    ...{ peers: list<PeerObject>('peers'), nodes: list<Node>('nodes'), pods: list<Pod>('pods') },
    ...{ namespaces: list('namespaces'), offloadings: [], now },
    makers: { deployments: list('deployments'), statefulSets: list('statefulsets') },
  };
}

describe('the map', () => {
  test.each([1, 2, 3, 5, 8, 12, 13, 20, 35, 50])('has room for %i members and their names', (members) => {
    const names = [...Array(members).keys()].map((at) => `member-${at}`);
    const { places, self, width, height, dense } = layOut(names);
    expect(places.size).toBe(members);
    const all = [...places.values()];
    for (const [at, place] of all.entries()) {
      expect(Math.hypot(place.x - self.x, place.y - self.y)).toBeGreaterThan(100);
      expect(place.x > 30 && place.x < width - 30 && place.y > 30 && place.y < height - 30).toBe(true);
      for (const other of all.slice(at + 1))
        expect(Math.hypot(place.x - other.x, place.y - other.y)).toBeGreaterThan(dense ? 60 : 90);
    }
  });

  test('gives the same members the same places each time', () => {
    const { names } = recordedFederation({ members: 50, now });
    expect(layOut(names)).toEqual(layOut([...names]));
  });
});

describe('what the console shows', () => {
  test('problems come with what they are about, and what to do', () => {
    const { problems, members, self } = federationView(worldOf(5));
    expect(self.name).toBe('oslo');
    expect(problems).toEqual([
      expect.objectContaining({ peer: 'turku', next: expect.stringContaining('headcut doctor --peer turku') }),
    ]);
    expect(members.map(({ name }) => name)).toEqual(['aarhus', 'bergen', 'malmo', 'tromso', 'turku']);
  });

  test('workloads say how many replicas are ready, where each one is, and why one is nowhere', () => {
    const world = worldOf(5);
    const { namespaces, guests } = workloadsView(world, world.makers);
    expect(namespaces.map(({ name, offloaded }) => [name, offloaded])).toEqual([
      ['media', true],
      ['shop', true],
      ['blog', false],
      ['default', false],
      ['kube-system', false],
    ]);
    const api = namespaces[1]?.workloads.find(({ name }) => name === 'api');
    expect(api).toMatchObject({ kind: 'Deployment', ready: 5, wanted: 6 });
    expect(api?.replicas.at(-1)).toMatchObject({
      member: undefined,
      why: 'Pod shop/api-77d9f8c6b4-fq5 is Pending: none of 6 members can take it.',
    });
    expect(guests.map(({ peer, originNamespace }) => [peer, originNamespace])).toEqual([
      ['aarhus', 'batch'],
      ['aarhus', 'batch'],
    ]);
  });

  test('a namespace with thousands of pods is listed in part, and that is said', () => {
    const world = worldOf(2);
    const [pod] = world.pods;
    if (pod === undefined) throw new Error('the fixture changed');
    world.pods = [...Array(3_000).keys()].map((at) => ({ ...pod, metadata: { ...pod.metadata, name: `p${at}` } }));
    const { namespaces, omitted } = workloadsView(world, world.makers);
    expect(namespaces[1]?.workloads.flatMap(({ replicas }) => replicas)).toHaveLength(2_000);
    expect(omitted).toBe(1_000);
  });

  test('a pod has its explanation, its containers and its conditions', () => {
    const world = worldOf(5);
    const pod = world.pods.find(({ metadata }) => metadata.name === 'web-5c44c9d89b-aa1');
    if (pod === undefined) throw new Error('the fixture changed');
    expect(podView(world, pod)).toMatchObject({
      maker: { kind: 'Deployment', name: 'web' },
      ready: true,
      containers: [{ name: 'main', state: 'running', ready: true }],
      explanation: { summary: expect.stringContaining('runs on peer') },
    });
  });

  test('time tells a failover with its seconds, and says when nothing is remembered', () => {
    const at = new Date(now).toISOString();
    const failover = {
      at,
      kind: 'failover',
      peer: 'b',
      namespace: 'shop',
      workload: 'Deployment/web',
      pods: 3,
    } as const;
    expect(timeView([{ ...failover, seconds: 8.4 }], []).entries[0]?.text).toBe(
      '3 pods of shop/web on b replaced, Ready 8.4 s after contact was lost',
    );
    expect(timeView([{ at, kind: 'back', peer: 'b', seconds: 400 }], []).entries[0]?.text).toBe(
      'b is back, after 7 min',
    );
    expect(timeView(undefined, []).remembered).toBe(false);
  });
});
