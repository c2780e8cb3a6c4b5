import { expect, test } from 'vitest';
import type { Service } from '../../../src/core/service/service-objects.ts';
import { type NamespaceServices, toSentServices } from '../../../src/core/service/to-sent-services.ts';
import { pod, service, slice } from './service-fixture.ts';

const sent = (more: Partial<NamespaceServices>) =>
  toSentServices({
    namespace: 'demo',
    services: [],
    slices: [],
    pod: (name) => pod(name, name.startsWith('away') ? 'headcut-b' : 'a'),
    isOffloaded: (one) => one.spec.nodeName?.startsWith('headcut-') === true,
    toImage: (local) => local.replace('10.244.0.', '100.64.1.'),
    ...more,
  });

test('a Service travels with the images of all its pods, wherever they run', () => {
  const [web] = sent({ services: [service('web')], slices: [slice('web', ['home-1', 'away-1'])] });
  expect(web).toMatchObject({ name: 'web', type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP' }] });
  expect(web?.endpoints).toHaveLength(1);
  expect(web?.endpoints[0]?.ports).toEqual([{ port: 8080, protocol: 'TCP' }]);
  expect(web?.endpoints[0]?.endpoints.map(({ address }) => address)).toEqual(['100.64.1.1', '100.64.2.2']);
});

test.each<[string, Service['spec'], object]>([
  ['a NodePort as ClusterIP', { type: 'NodePort', ports: [{ port: 80, nodePort: 30_000 }] }, { type: 'ClusterIP' }],
  ['a LoadBalancer as ClusterIP', { type: 'LoadBalancer', loadBalancerIP: '1.2.3.4' }, { type: 'ClusterIP' }],
  ['a headless one as such', { clusterIP: 'None' }, { type: 'Headless' }],
  ['a name outside', { type: 'ExternalName', externalName: 'x.org' }, { type: 'ExternalName', externalName: 'x.org' }],
  [
    'session affinity',
    { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } },
    { affinitySeconds: 60 },
  ],
  ['local traffic only', { internalTrafficPolicy: 'Local' }, { localOnly: true }],
  ['not ready addresses', { publishNotReadyAddresses: true }, { publishNotReadyAddresses: true }],
])('%s', (_what, spec, expected) => {
  const [web] = sent({ services: [service('web', spec)] });
  const { clusterIP: _, ...rest } = web ?? {};
  expect(web).toMatchObject(expected);
  expect(JSON.stringify(rest)).not.toMatch(/nodePort|30000|1\.2\.3\.4|10\.96/);
});

test('a Service travels with its address, which one without does not have', () => {
  const dual = { clusterIP: 'fd00::5', clusterIPs: ['fd00::5', '10.96.1.5'] };
  const addresses = [service('a'), service('b', dual), service('c', { clusterIP: 'None' })];
  expect(sent({ services: addresses }).map(({ clusterIP }) => clusterIP)).toEqual([
    '10.96.1.1',
    '10.96.1.5',
    undefined,
  ]);
});

test('what is no pod, or cannot be reached from other members, stays at home', () => {
  const external = slice('web', []);
  external.endpoints = [{ addresses: ['10.0.0.5'] }];
  expect(sent({ services: [service('web')], slices: [external] })[0]?.endpoints).toEqual([]);
  const unreachable = { services: [service('web')], slices: [slice('web', ['home-1'])], toImage: () => undefined };
  expect(sent(unreachable)[0]?.endpoints).toEqual([]);
});

test('an import of this cluster travels with the pods of other members, which only the agent can name', () => {
  const imported = slice('web', ['home-1']);
  imported.endpoints?.push({ addresses: ['100.64.3.7'] });
  const labels = { 'multicluster.kubernetes.io/source-cluster': 'c', 'app.kubernetes.io/managed-by': 'headcut' };
  imported.metadata.labels = { ...imported.metadata.labels, ...labels };
  const [web] = sent({ services: [service('web')], slices: [imported] });
  expect(web?.endpoints[0]?.endpoints.map(({ address }) => address)).toEqual(['100.64.1.1', '100.64.3.7']);
  delete imported.metadata.labels?.['app.kubernetes.io/managed-by'];
  const [other] = sent({ services: [service('web')], slices: [imported] });
  expect(other?.endpoints[0]?.endpoints.map(({ address }) => address)).toEqual(['100.64.1.1']);
});

test("the API server's own Service and what is being deleted do not travel", () => {
  const ending = service('web');
  ending.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
  expect(sent({ services: [ending] })).toEqual([]);
  expect(sent({ namespace: 'default', services: [service('kubernetes')] })).toEqual([]);
});

test('labels of headcut and of controllers stay at home', () => {
  const labels = { team: 'x', 'headcut.dev/offload': 'true', 'service.kubernetes.io/service-proxy-name': 'y' };
  expect(sent({ services: [service('web', {}, labels)] })[0]?.labels).toEqual({ team: 'x' });
});

test('slices are told in the same way however they are cut and ordered', () => {
  const services = [service('web'), service('db')];
  const one = [slice('web', ['home-1', 'away-1'])];
  const [a, b] = [slice('web', ['home-1', 'away-1']), slice('web', ['home-1', 'away-1'])];
  a.endpoints = a.endpoints?.slice(1) ?? [];
  b.endpoints = b.endpoints?.slice(0, 1) ?? [];
  expect(sent({ services: services.toReversed(), slices: [a, b] })).toEqual(sent({ services, slices: one }));
});

test('a pod that stands in two slices for a moment counts as ready if either says so', () => {
  const [ready, not] = [slice('web', ['home-1']), slice('web', ['home-1'])];
  for (const endpoint of not.endpoints ?? []) endpoint.conditions = { ready: false };
  for (const slices of [
    [ready, not],
    [not, ready],
  ]) {
    expect(sent({ services: [service('web')], slices })[0]?.endpoints[0]?.endpoints).toMatchObject([{ ready: true }]);
  }
});
