import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MirrorAction, type MirrorObservation, planMirrors } from '../../../src/core/service/plan-mirrors.ts';
import type { SentEndpoint, SentService } from '../../../src/core/service/sent-service.ts';
import type { EndpointSlice, Service } from '../../../src/core/service/service-objects.ts';
import { twinNamespaceName } from '../../../src/core/shadow-pod/twin-namespace.ts';
import { ORIGIN, pod } from './service-fixture.ts';

const endpoint = (address: string, more: Partial<SentEndpoint> = {}): SentEndpoint => ({
  address,
  ready: true,
  serving: true,
  terminating: false,
  ...more,
});

const sent = (name: string, endpoints: SentEndpoint[] = [], more: Partial<SentService> = {}): SentService => ({
  name,
  type: 'ClusterIP',
  labels: {},
  ports: [{ port: 80, protocol: 'TCP' }],
  endpoints: endpoints.length === 0 ? [] : [{ ports: [{ port: 8080, protocol: 'TCP' }], endpoints }],
  ...more,
});

/** On b: its own pods are 100.64.2.x elsewhere; a is 100.64.1.x and c, which is unreachable, 100.64.3.x. */
const observe = (wanted: SentService[], more: Partial<MirrorObservation> = {}): MirrorObservation => ({
  origin: ORIGIN,
  twinOf: (namespace) => twinNamespaceName({ ...ORIGIN, namespace }),
  clusterDomain: 'cluster.local',
  wanted,
  services: [],
  slices: [],
  toLocal: (image) => (image.startsWith('100.64.2.') ? image.replace('100.64.2.', '10.244.0.') : undefined),
  podAt: (local) => (local === '10.244.0.9' ? pod('away', 'b', local) : undefined),
  isExported: (local) => local === '10.244.0.20',
  isReachable: (image) => image.startsWith('100.64.1.'),
  ...more,
});

/** What the API server would hold after the actions. */
function applied(observed: MirrorObservation, actions: MirrorAction[]): MirrorObservation {
  const services = new Map(observed.services.map((one) => [one.metadata.name, one]));
  const slices = new Map(observed.slices.map((one) => [one.metadata.name, one]));
  for (const action of actions) {
    switch (action.type) {
      case 'create-service':
        services.set(action.service.metadata.name, withDefaults(action.service));
        break;
      case 'update-service':
        services.set(action.service.metadata.name, withDefaults(action.service));
        break;
      case 'delete-service':
        services.delete(action.service.metadata.name);
        break;
      case 'create-slice':
      case 'replace-slice':
        slices.set(action.slice.metadata.name, action.slice);
        break;
      case 'delete-slice':
        slices.delete(action.slice.metadata.name);
        break;
    }
  }
  return { ...observed, services: [...services.values()], slices: [...slices.values()] };
}

function withDefaults(service: Service): Service {
  const address = service.spec?.type === 'ExternalName' ? {} : { clusterIP: '10.96.9.9', ipFamilies: ['IPv4'] };
  return { ...service, spec: { ...address, ...service.spec } };
}

const endpointsOf = (actions: MirrorAction[]) =>
  actions.flatMap((action) => (action.type === 'create-slice' ? (action.slice.endpoints ?? []) : []));

describe('a Service in a twin namespace', () => {
  test('has no selector, so that nobody but headcut makes endpoints for it, and comes before its endpoints', () => {
    const actions = planMirrors(observe([sent('web', [endpoint('100.64.1.5')])]));
    expect(actions.map(({ type }) => type)).toEqual(['create-service', 'create-slice']);
    const [create] = actions;
    expect(create).toMatchObject({ service: { metadata: { name: 'web', namespace: twinNamespaceName(ORIGIN) } } });
    expect(JSON.stringify(create)).not.toContain('selector');
    expect(actions[1]).toMatchObject({
      slice: {
        metadata: {
          labels: {
            'kubernetes.io/service-name': 'web',
            'endpointslice.kubernetes.io/managed-by': 'headcut.dev',
            'headcut.dev/origin-cluster': 'cluster-a',
          },
        },
      },
    });
  });

  test('remembers the address that it has at home', () => {
    const named = (address: string | undefined) => [
      sent('web', [], address === undefined ? {} : { clusterIP: address }),
    ];
    const made = observe(named('10.43.0.7'));
    const [create, ...none] = planMirrors(made);
    expect(create).toMatchObject({
      service: { metadata: { annotations: { 'headcut.dev/home-address': '10.43.0.7' } } },
    });
    expect(none).toEqual([]);
    const there = applied(made, planMirrors(made));
    expect(planMirrors(there)).toEqual([]);
    const moved = {
      type: 'update-service',
      patch: { metadata: { annotations: { 'headcut.dev/home-address': '10.43.0.8' } } },
    };
    expect(planMirrors({ ...there, wanted: named('10.43.0.8') })).toMatchObject([moved]);
    // Told by a former build.
    const gone = { type: 'update-service', patch: { metadata: { annotations: { 'headcut.dev/home-address': null } } } };
    expect(planMirrors({ ...there, wanted: named(undefined) })).toMatchObject([gone]);
  });

  test('knows its pods here by their own addresses and nodes, and those of members by their images', () => {
    const endpoints = endpointsOf(
      planMirrors(observe([sent('web', [endpoint('100.64.1.5'), endpoint('100.64.2.9')])])),
    );
    expect(endpoints).toMatchObject([{ addresses: ['100.64.1.5'] }, { addresses: ['10.244.0.9'], nodeName: 'b' }]);
    expect(endpoints[0]).not.toHaveProperty('nodeName');
  });

  test.each([
    ['a member that cannot be reached', '100.64.3.5'],
    ["the provider's network", '192.168.1.10'],
    ["the provider's API server", '10.96.0.1'],
    ['a pod here that is not the consumer’s', '100.64.2.8'],
    ['a local address in place of an image', '10.244.0.9'],
    ['loopback', '127.0.0.1'],
  ])('never leads to %s', (_what, address) => {
    expect(endpointsOf(planMirrors(observe([sent('web', [endpoint(address)])])))).toEqual([]);
  });

  test('leads to pods that this cluster exports, and to no others of its own', () => {
    const wanted = sent('web', [endpoint('100.64.2.20'), endpoint('100.64.2.21')]);
    const [slice] = planMirrors(observe([wanted])).flatMap((one) => (one.type === 'create-slice' ? [one.slice] : []));
    expect(slice?.endpoints?.flatMap(({ addresses }) => addresses)).toEqual(['10.244.0.20']);
  });

  test('knows sooner than its home that a pod here is not ready any more', () => {
    const notReady = pod('away', 'b', '10.244.0.9');
    const ending = { ...notReady, metadata: { ...notReady.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    const as = (found: typeof notReady, more: Partial<SentService> = {}) =>
      endpointsOf(planMirrors(observe([sent('web', [endpoint('100.64.2.9')], more)], { podAt: () => found }))).map(
        ({ conditions }) => conditions,
      );
    expect(as(ending)).toEqual([{ ready: false, serving: true, terminating: true }]);
    notReady.status = { phase: 'Running' };
    expect(as(notReady)).toEqual([{ ready: false, serving: false, terminating: false }]);
    expect(as(notReady, { publishNotReadyAddresses: true })).toMatchObject([{ ready: true }]);
  });

  test('that became headless is made anew', () => {
    const before = observe([sent('web')]);
    const there = applied(before, planMirrors(before));
    const actions = planMirrors({ ...there, wanted: [sent('web', [], { type: 'Headless' })] });
    expect(actions.map(({ type }) => type)).toEqual(['delete-service', 'create-service']);
  });

  test('that somebody changed is set right again', () => {
    const before = observe([sent('web')]);
    const there = applied(before, planMirrors(before));
    const [service] = there.services;
    const changed = { ...service, spec: { ...service?.spec, selector: { app: 'x' } } } as Service;
    expect(planMirrors({ ...there, services: [changed] })).toMatchObject([
      { type: 'update-service', patch: { spec: { selector: null } } },
    ]);
  });

  test('goes with its endpoints when it is gone at home', () => {
    const before = observe([sent('web', [endpoint('100.64.1.5')])]);
    const there = applied(before, planMirrors(before));
    expect(planMirrors({ ...there, wanted: [] }).map(({ type }) => type)).toEqual(['delete-slice', 'delete-service']);
  });

  test('that names another Service of its own cluster leads to the twin of that', () => {
    const external = sent('db', [], { type: 'ExternalName', externalName: 'pg.data.svc.cluster.local', ports: [] });
    const externalName = `pg.${twinNamespaceName({ cluster: 'cluster-a', namespace: 'data' })}.svc.cluster.local`;
    expect(planMirrors(observe([external]))).toMatchObject([{ service: { spec: { externalName } } }]);
  });

  test('gets no write when nothing changed, whatever it is', () => {
    const services = fc.uniqueArray(
      fc.record({
        name: fc.constantFrom('a', 'b', 'c', 'd'),
        type: fc.constantFrom('ClusterIP' as const, 'Headless' as const, 'ExternalName' as const),
        affinitySeconds: fc.constantFrom(undefined, 60),
        publishNotReadyAddresses: fc.constantFrom(undefined, true),
        localOnly: fc.constantFrom(undefined, true),
        hosts: fc.uniqueArray(fc.integer({ min: 1, max: 250 })),
      }),
      { selector: ({ name }) => name },
    );
    fc.assert(
      fc.property(services, services, (first, second) => {
        const toWanted = (drawn: typeof first): SentService[] =>
          drawn.map(({ hosts, name, ...more }) => {
            const given = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined));
            return sent(
              name,
              hosts.map((host) => endpoint(`100.64.1.${host}`)),
              { externalName: 'x.org', ...given },
            );
          });
        const start = observe(toWanted(first));
        const there = applied(start, planMirrors(start));
        expect(planMirrors(there)).toEqual([]);
        const next = { ...there, wanted: toWanted(second) };
        expect(planMirrors(applied(next, planMirrors(next)))).toEqual([]);
      }),
    );
  });
});

test('a slice that differs is replaced as the version that was read', () => {
  const before = observe([sent('web', [endpoint('100.64.1.5')])]);
  const there = applied(before, planMirrors(before));
  const slices = there.slices.map(
    (one): EndpointSlice => ({ ...one, metadata: { ...one.metadata, resourceVersion: '7' } }),
  );
  const wanted = [sent('web', [endpoint('100.64.1.5', { ready: false })])];
  expect(planMirrors({ ...there, slices, wanted })).toMatchObject([
    {
      type: 'replace-slice',
      slice: { metadata: { resourceVersion: '7' }, endpoints: [{ conditions: { ready: false } }] },
    },
  ]);
});
