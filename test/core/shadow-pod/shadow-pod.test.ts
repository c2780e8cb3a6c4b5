import { describe, expect, test } from 'vitest';
import type { Pod } from '../../../src/core/kube-objects.ts';
import { planShadowPod, toRemotePod } from '../../../src/core/shadow-pod/plan-shadow-pod.ts';
import { refusalByPolicy } from '../../../src/core/shadow-pod/policy.ts';
import { type ShadowPod, toShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import { type PodSurroundings, translatePod } from '../../../src/core/shadow-pod/translate-pod.ts';

const home: Pod = {
  metadata: { name: 'web-1', namespace: 'demo', uid: 'u1', labels: { app: 'web' } },
  spec: {
    nodeName: 'headcut-b',
    nodeSelector: { disk: 'ssd' },
    serviceAccountName: 'builder',
    tolerations: [
      { key: 'headcut.dev/virtual-node', operator: 'Exists' },
      { key: 'mine', operator: 'Exists' },
    ],
    containers: [{ name: 'web', env: [{ name: 'NS', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } }] }],
    volumes: [
      {
        name: 'api',
        projected: {
          sources: [{ serviceAccountToken: { path: 'token' } }, { configMap: { name: 'kube-root-ca.crt' } }],
        },
      },
    ],
  },
};

const surroundings: PodSurroundings = { nameserver: '10.96.7.7', homeApi: '10.96.8.8', clusterDomain: 'cluster.local' };

const shadowOf = (status?: ShadowPod['status']): ShadowPod => {
  const shadow = toShadowPod('cluster-a', { pod: home, virtualNode: 'headcut-b', objects: [] });
  return { ...shadow, metadata: { ...shadow.metadata, uid: 's1' }, ...(status === undefined ? {} : { status }) };
};

const realPod = (status: Pod['status'], nodeName?: string): Pod => {
  const pod = translatePod(shadowOf(), surroundings);
  return {
    ...pod,
    metadata: { ...pod.metadata, uid: 'r1' },
    spec: { ...pod.spec, ...(nodeName === undefined ? {} : { nodeName }) },
    ...(status === undefined ? {} : { status }),
  };
};

const NOW = Date.parse('2026-01-01T00:00:30Z');
const plan = (shadow: ShadowPod, pod: Pod | undefined, deleting = false, lease = { fenced: false, mayRun: true }) =>
  planShadowPod({ shadow, pod, deleting, ...lease, ...inContact, now: NOW }).actions;
const inContact = { homeLostMs: undefined, homeGoneMs: undefined };

describe('the pod made on the provider', () => {
  const pod = translatePod(shadowOf(), surroundings);

  test('drops what speaks of the home cluster', () => {
    expect(pod.spec).not.toHaveProperty('nodeName');
    expect(pod.spec).not.toHaveProperty('nodeSelector');
    expect(pod.spec.serviceAccountName).toBe('default');
    expect(pod.spec).not.toHaveProperty('tolerations');
  });

  test('has tokens that the group of its volumes reads, and nobody else, as at home', () => {
    const itemOf = (spec: object) => {
      const shadow = shadowOf();
      const own = { ...shadow.spec.pod, spec: { ...home.spec, ...spec } };
      const { volumes } = translatePod({ ...shadow, spec: { ...shadow.spec, pod: own } }, surroundings).spec;
      const sources = volumes?.flatMap(({ projected }) => projected?.sources ?? []) ?? [];
      return sources.find(({ secret }) => secret !== undefined)?.secret?.items;
    };
    expect(itemOf({ securityContext: { fsGroup: 2002 } })).toMatchObject([{ mode: 0o600 }]);
    expect(itemOf({})).not.toMatchObject([{ mode: expect.anything() }]);
  });

  test('answers the downward API as at home', () => {
    const fieldRef = pod.spec.containers[0]?.env?.find(({ name }) => name === 'NS')?.valueFrom?.fieldRef;
    expect(fieldRef?.fieldPath).toBe("metadata.annotations['headcut.dev/origin-namespace']");
    expect(pod.metadata.annotations?.['headcut.dev/origin-namespace']).toBe('demo');
  });

  test('has the variables of Services as at home, unless it wants none', () => {
    const links = (spec: object): unknown => {
      const shadow = shadowOf();
      const own = { ...shadow.spec.pod, spec: { ...home.spec, ...spec } };
      return translatePod({ ...shadow, spec: { ...shadow.spec, pod: own } }, surroundings).spec.enableServiceLinks;
    };
    expect([{ enableServiceLinks: true }, { enableServiceLinks: false }, {}].map(links)).toEqual([
      true,
      false,
      undefined,
    ]);
  });

  test('that has its whole name as its host name has the one of its home', () => {
    const named = (spec: object) => {
      const shadow = shadowOf();
      const own = { ...shadow.spec.pod, spec: { ...home.spec, subdomain: 'db', setHostnameAsFQDN: true, ...spec } };
      const agent = { ...surroundings, image: 'agent:1' };
      return translatePod({ ...shadow, spec: { ...shadow.spec, pod: own } }, agent).spec;
    };
    expect(named({})).toMatchObject({ hostnameOverride: 'web-1.db.demo.svc.cluster.local', setHostnameAsFQDN: false });
    expect(named({ hostname: 'db-0' }).hostnameOverride).toBe('db-0.db.demo.svc.cluster.local');
    expect(named({ hostname: 'x'.repeat(60) })).not.toHaveProperty('hostnameOverride');
    expect(named({ setHostnameAsFQDN: false })).not.toHaveProperty('hostnameOverride');
  });

  test("asks our nameserver under its home's names", () => {
    expect(pod.spec.dnsPolicy).toBe('None');
    expect(pod.spec.dnsConfig).toEqual({
      nameservers: ['10.96.7.7'],
      searches: ['demo.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
      options: [{ name: 'ndots', value: '5' }],
    });
  });

  test('keeps the DNS settings that it has of its own', () => {
    const having = (spec: object): Pod => {
      const shadow = shadowOf();
      const own = { ...shadow.spec.pod, spec: { ...home.spec, ...spec } };
      return translatePod({ ...shadow, spec: { ...shadow.spec, pod: own } }, surroundings);
    };
    const dnsConfig = { nameservers: ['9.9.9.9'], searches: ['x.org'], options: [{ name: 'ndots', value: '2' }] };
    expect(having({ dnsPolicy: 'ClusterFirst', dnsConfig }).spec.dnsConfig).toEqual({
      nameservers: ['10.96.7.7', '9.9.9.9'],
      searches: ['demo.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'x.org'],
      options: [{ name: 'ndots', value: '2' }],
    });
    const own = having({ dnsPolicy: 'None', dnsConfig });
    expect(own.spec).toMatchObject({ dnsPolicy: 'None', dnsConfig });
    expect(own.spec.hostAliases).toEqual([
      { ip: '10.96.8.8', hostnames: ['kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'] },
    ]);
  });

  test("reaches its home's API server by in-cluster settings, unless it says another", () => {
    const env = (container: Pod['spec']['containers'][number] | undefined) =>
      Object.fromEntries(container?.env?.map(({ name, value }) => [name, value]) ?? []);
    expect(env(pod.spec.containers[0])).toMatchObject({
      KUBERNETES_SERVICE_HOST: 'kubernetes.default.svc',
      KUBERNETES_SERVICE_PORT: '443',
    });
    const closed = translatePod(shadowOf(), { ...surroundings, homeApi: undefined });
    expect(env(closed.spec.containers[0])).not.toHaveProperty('KUBERNETES_SERVICE_HOST');
  });

  test("mounts the home cluster's token and CA", () => {
    const sources = pod.spec.volumes?.[0]?.projected?.sources;
    expect(sources?.[0]).toEqual({ secret: { name: 'headcut-tokens-u1', items: [{ key: 'api.0', path: 'token' }] } });
    expect(sources?.[1]?.configMap?.name).toBe('headcut-home.kube-root-ca.crt');
  });
});

describe('a shadow pod', () => {
  test('gets its pod made once', () => {
    expect(plan(shadowOf(), undefined)).toEqual([{ type: 'create-pod' }]);
  });

  test('whose pod vanished has failed and is not made again', () => {
    const actions = plan(shadowOf({ podUID: 'r1' }), undefined);
    expect(actions).toMatchObject([
      { type: 'write-status', status: { terminal: { phase: 'Failed', reason: 'RemovedOnProvider' } } },
    ]);
  });

  test('that ended is recorded once and then left alone', () => {
    const ended = realPod({ phase: 'Succeeded' }, 'b');
    expect(plan(shadowOf({ podUID: 'r1' }), ended)).toMatchObject([{ status: { terminal: { phase: 'Succeeded' } } }]);
    expect(plan(shadowOf({ podUID: 'r1', terminal: { phase: 'Succeeded' } }), ended)).toEqual([]);
    expect(plan(shadowOf({ podUID: 'r1', terminal: { phase: 'Succeeded' } }), undefined)).toEqual([]);
  });

  test('that cannot be scheduled for 10 s is refused for want of room, with the reason of a kubelet', () => {
    const since = (lastTransitionTime: string) =>
      realPod({
        conditions: [
          {
            type: 'PodScheduled',
            status: 'False',
            reason: 'Unschedulable',
            message: '0/1 nodes: 1 Insufficient cpu.',
            lastTransitionTime,
          },
        ],
      });
    expect(plan(shadowOf(), since('2026-01-01T00:00:25Z'))).toEqual([]);
    expect(plan(shadowOf(), since('2026-01-01T00:00:20Z'))).toMatchObject([
      { status: { refusal: { kind: 'room', reason: 'OutOfcpu' } } },
    ]);
  });

  test('that is to end has its pod deleted first and goes after it', () => {
    expect(plan(shadowOf({ podUID: 'r1' }), realPod({ phase: 'Running' }, 'b'), true)).toEqual([
      { type: 'delete-pod', uid: 'r1' },
    ]);
    expect(plan(shadowOf({ podUID: 'r1' }), undefined, true)).toEqual([{ type: 'delete-shadow-pod' }]);
  });

  test('tells the consumer the recorded end when its pod is gone', () => {
    const remote = toRemotePod({
      shadow: shadowOf({ podUID: 'r1', terminal: { phase: 'Succeeded' } }),
      pod: undefined,
      deleting: false,
    });
    expect(remote).toMatchObject({ uid: 'u1', namespace: 'demo', status: { phase: 'Succeeded' } });
  });
});

describe('the policy of a provider', () => {
  test.each([
    [
      'a volume of a cloud',
      { volumes: [{ name: 'v', awsElasticBlockStore: { volumeID: 'c' } }] },
      'awsElasticBlockStore',
    ],
    ['host paths', { volumes: [{ name: 'v', hostPath: { path: '/' } }] }, 'hostPath'],
    ['the host network', { hostNetwork: true }, 'hostNetwork'],
  ])('refuses a pod with %s and says why', (_what, spec, word) => {
    expect(refusalByPolicy({ ...home, spec: { ...home.spec, ...spec } })?.message).toContain(word);
  });

  test('takes a pod with only portable volumes', () => {
    expect(refusalByPolicy(home)).toBeUndefined();
  });
});
