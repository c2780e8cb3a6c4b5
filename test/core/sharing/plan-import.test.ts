import { describe, expect, test } from 'vitest';
import type { EndpointSlice, Service } from '../../../src/core/service/service-objects.ts';
import { importChange, serviceChange, sliceChange, toServiceImport } from '../../../src/core/sharing/object-changes.ts';
import { type ImportObservation, type ImportPlan, planImport } from '../../../src/core/sharing/plan-import.ts';
import { derivedName, type ServiceImport } from '../../../src/core/sharing/sharing-objects.ts';
import { A, B, C, endpoint, source, tcp } from './sharing-fixture.ts';

const NAME = { namespace: 'shop', name: 'web' };
const ADDRESSES: Record<string, string> = { [A]: '100.64.1.', [B]: '100.64.2.', [C]: '100.64.3.' };

const backed = (cluster: string, ...hosts: number[]) => ({
  endpoints: [
    {
      ports: [{ ...tcp(8080), name: 'http' }],
      endpoints: hosts.map((host) => endpoint(`${ADDRESSES[cluster]}${host}`)),
    },
  ],
});

const observe = (more: Partial<ImportObservation> = {}): ImportObservation => ({
  ...NAME,
  exports: [],
  isUnheard: () => false,
  isReachable: () => true,
  toEndpoint: (cluster, { address, ready }) =>
    address.startsWith(ADDRESSES[cluster] ?? 'x') ? { addresses: [address], conditions: { ready } } : undefined,
  present: { slices: [] },
  ...more,
});

const wanted = (plan: ImportPlan) => {
  if (plan.type !== 'keep') throw new Error(`it is to ${plan.type}`);
  return plan.wanted;
};
const addressesOf = (slices: readonly EndpointSlice[]) =>
  slices.flatMap((slice) => (slice.endpoints ?? []).flatMap(({ addresses }) => addresses)).sort();

const ours = (clusters: string[]): ServiceImport => ({
  metadata: { ...NAME, labels: { 'app.kubernetes.io/managed-by': 'headcut' } },
  status: { clusters: clusters.map((cluster) => ({ cluster })) },
});

describe('an import', () => {
  test('has the endpoints of all exporters, in slices with the standard labels', () => {
    const exports = [source(A, backed(A, 1)), source(B, { since: 2_000, ...backed(B, 1, 2) })];
    const { slices, service } = wanted(planImport(observe({ exports })));
    expect(addressesOf(slices)).toEqual(['100.64.1.1', '100.64.2.1', '100.64.2.2']);
    expect(slices.map((slice) => slice.metadata.labels?.['multicluster.kubernetes.io/source-cluster'])).toEqual([A, B]);
    for (const { metadata, ports } of slices) {
      expect(metadata.labels).toMatchObject({
        'multicluster.kubernetes.io/service-name': 'web',
        'kubernetes.io/service-name': service.metadata.name,
        'endpointslice.kubernetes.io/managed-by': 'headcut.dev',
      });
      expect(ports).toEqual([{ name: 'http', port: 8080, protocol: 'TCP' }]);
    }
  });

  test('never has the name of a Service that a user may make', () => {
    const { service } = wanted(planImport(observe({ exports: [source(A)] })));
    expect(service.metadata.name).toBe(derivedName('web'));
    expect(service.metadata.name).not.toBe('web');
    expect(service.spec?.selector).toBeUndefined();
    expect(derivedName('x'.repeat(63)).length).toBeLessThanOrEqual(63);
    expect(derivedName(`${'x'.repeat(39)}-y`)).toMatch(/^imported-x+-[0-9a-f]{8}$/);
  });

  test('has no address that is no pod of the exporter that names it', () => {
    const exports = [source(A, { endpoints: backed(B, 7).endpoints }), source(B, backed(B, 1))];
    expect(addressesOf(wanted(planImport(observe({ exports }))).slices)).toEqual(['100.64.2.1']);
  });

  test('sends traffic for a port to nobody who does not have that port', () => {
    const exports = [source(A, backed(A, 1)), source(B, { since: 2_000, ports: [tcp(8080, 'http')], ...backed(B, 1) })];
    const { slices, merged } = wanted(planImport(observe({ exports })));
    expect(merged.spec.ports).toEqual([tcp(80, 'http')]);
    expect(addressesOf(slices)).toEqual(['100.64.1.1']);
  });

  test('loses the endpoints of a member out of contact, and nothing else', () => {
    const exports = [source(A, backed(A, 1)), source(B, { since: 2_000, ...backed(B, 1) })];
    const { slices, merged } = wanted(planImport(observe({ exports, isReachable: (cluster) => cluster !== A })));
    expect(addressesOf(slices)).toEqual(['100.64.2.1']);
    expect(merged.clusters).toEqual([A, B]);
  });

  test('goes with its last export', () => {
    expect(planImport(observe({ present: { serviceImport: ours([A]), slices: [] } }))).toEqual({ type: 'remove' });
  });

  test('stays while one of its exporters has not said what it exports since the agent started', () => {
    const slice: EndpointSlice = {
      metadata: { name: 's', namespace: 'shop', labels: { 'multicluster.kubernetes.io/source-cluster': A } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['100.64.1.1'] }],
    };
    const present = { serviceImport: ours([A, B]), slices: [slice] };
    const isUnheard = (cluster: string) => cluster === A;
    expect(planImport(observe({ present, isUnheard }))).toEqual({ type: 'withdraw', slices: [], written: [] });
    expect(planImport(observe({ present, isUnheard, isReachable: () => false }))).toEqual({
      type: 'withdraw',
      slices: [slice],
      written: [],
    });
  });

  test('has the endpoints of the exporters that were heard meanwhile, by the ports that it has', () => {
    const exports = [source(B, { since: 2_000, ...backed(B, 1) })];
    const spec = { type: 'ClusterSetIP' as const, ports: [tcp(80, 'http')] };
    const sliceOf = (cluster: string): EndpointSlice => ({
      metadata: {
        name: `old-${cluster.slice(0, 1)}`,
        labels: { 'multicluster.kubernetes.io/source-cluster': cluster },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['100.64.9.9'] }],
    });
    const present = { serviceImport: { ...ours([A, B]), spec }, slices: [sliceOf(A), sliceOf(B)] };
    const plan = planImport(observe({ exports, present, isUnheard: (cluster) => cluster === A }));
    if (plan.type !== 'withdraw') throw new Error(`it is to ${plan.type}`);
    expect(addressesOf(plan.written)).toEqual(['100.64.2.1']);
    expect(plan.written[0]?.ports).toEqual([{ name: 'http', port: 8080, protocol: 'TCP' }]);
    expect(plan.slices.map(({ metadata }) => metadata.name)).toEqual(['old-b']);
  });

  test('has no port of endpoints that an API server refuses', () => {
    const endpoints = [
      { ports: [{ ...tcp(8080, 'http'), appProtocol: 'a b' }], endpoints: [endpoint('100.64.1.1')] },
      { ports: [tcp(8081, 'http')], endpoints: [endpoint('100.64.1.2')] },
    ];
    const { slices } = wanted(planImport(observe({ exports: [source(A, { endpoints })] })));
    expect(addressesOf(slices)).toEqual(['100.64.1.2']);
  });

  test.each([
    ['a ServiceImport', { serviceImport: { metadata: NAME } }],
    ['a Service of the derived name', { service: { metadata: { namespace: 'shop', name: derivedName('web') } } }],
  ])('leaves %s alone that somebody else made', (_what, present) => {
    const plan = planImport(observe({ exports: [source(A)], present: { slices: [], ...present } }));
    expect(plan).toMatchObject({ type: 'blocked', message: expect.stringContaining('left alone') });
  });

  test('of a headless Service without ports has endpoints all the same', () => {
    const endpoints = [{ ports: [], endpoints: [endpoint('100.64.1.1', { hostname: 'db-0' })] }];
    const exports = [source(A, { type: 'Headless', ports: [], endpoints })];
    const { slices, service } = wanted(planImport(observe({ exports })));
    expect(addressesOf(slices)).toEqual(['100.64.1.1']);
    expect(service.spec?.clusterIP).toBe('None');
  });
});

describe('what is there already', () => {
  const exports = [source(A, { labels: { tier: 'x' }, annotations: { note: 'y' }, ...backed(A, 1) })];
  const plan = wanted(planImport(observe({ exports })));
  /** As an API server gives it back. */
  const service: Service = {
    ...plan.service,
    spec: { ...plan.service.spec, clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'], ipFamilies: ['IPv4'] },
  };
  const made = toServiceImport(NAME, plan.merged, service);

  test('is not written again', () => {
    expect(serviceChange(service, plan.service)).toBeUndefined();
    expect(importChange(made, toServiceImport(NAME, plan.merged, service))).toBeUndefined();
    const [slice] = plan.slices;
    expect(slice && sliceChange(slice, slice)).toBeUndefined();
  });

  test('has the address of its derived Service', () => {
    expect(made.spec).toMatchObject({ ips: ['10.96.0.9'], ipFamilies: ['IPv4'] });
  });

  test('has the family of its endpoints where it is headless, not those that its Service got by default', () => {
    const { merged } = wanted(planImport(observe({ exports: [source(A, { type: 'Headless' })] })));
    const both: Service = { ...service, spec: { clusterIP: 'None', ipFamilies: ['IPv4', 'IPv6'] } };
    expect(toServiceImport(NAME, merged, both).spec).toMatchObject({ type: 'Headless', ipFamilies: ['IPv4'] });
  });

  test('loses labels and annotations that are exported no more, and keeps those that others gave it', () => {
    const present = { ...made, metadata: { ...made.metadata, labels: { ...made.metadata.labels, mine: '1' } } };
    const next = toServiceImport(NAME, wanted(planImport(observe({ exports: [source(A)] }))).merged, service);
    expect(importChange(present, next)).toEqual({
      metadata: { labels: { tier: null }, annotations: { note: null, 'headcut.dev/exported-keys': null } },
    });
  });

  test('loses an affinity that is no more', () => {
    const before = wanted(planImport(observe({ exports: [source(A, { affinitySeconds: 9 })] }))).service;
    expect(serviceChange(before, plan.service)).toEqual({
      spec: { sessionAffinity: 'None', sessionAffinityConfig: null },
    });
  });
});

test('an exporter cannot give an import labels that say whose it is', () => {
  const labels = { 'app.kubernetes.io/managed-by': 'x', 'headcut.dev/import': 'y', ok: '1' };
  const { merged } = wanted(planImport(observe({ exports: [source(A, { labels })] })));
  expect(toServiceImport(NAME, merged, undefined).metadata.labels).toEqual({
    'app.kubernetes.io/managed-by': 'headcut',
    ok: '1',
  });
});

test.each([
  ['labels', { 'a b': 'x', '-.-/a': 'x', 'x..y/a': 'x', a: 'has space', b: 'y'.repeat(64), ok: '1' }],
  ['annotations', { 'a b': 'x', '-.-/a': 'x', 'x..y/a': 'x', ok: '1' }],
])('an exporter cannot give an import %s that the API server refuses it for', (what, given) => {
  const { merged } = wanted(planImport(observe({ exports: [source(A, { [what]: given })] })));
  const { labels = {}, annotations = {} } = toServiceImport(NAME, merged, undefined).metadata;
  const kept = Object.keys(what === 'labels' ? labels : annotations);
  expect(kept.filter((name) => name in given)).toEqual(['ok']);
});
