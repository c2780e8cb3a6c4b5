import fc from 'fast-check';
import { Check } from 'typebox/value';
import { expect, test } from 'vitest';
import { fromSentState, toSentState } from '../../src/core/service/sent-service.ts';
import type { EndpointSlice, Service } from '../../src/core/service/service-objects.ts';
import { toSentServices } from '../../src/core/service/to-sent-services.ts';
import { ENDPOINTS } from '../../src/wire/endpoints.ts';
import { pod, service, slice } from '../core/service/service-fixture.ts';

const { body } = ENDPOINTS.updateServices;

function sent(services: Service[], slices: EndpointSlice[]) {
  const found = { services, slices, pod: () => pod('x'), isOffloaded: () => false, toImage: (local: string) => local };
  return toSentState(toSentServices({ namespace: 'demo', ...found }));
}

test('whatever Services a namespace has, a peer can read what it is told of them', () => {
  const port = fc.record(
    {
      name: fc.constantFrom('', 'http', 'a'.repeat(15)),
      port: fc.integer({ min: 1, max: 65_535 }),
      protocol: fc.constantFrom('TCP' as const, 'UDP' as const, 'SCTP' as const),
      appProtocol: fc.constantFrom('http', `${'a'.repeat(253)}/${'b'.repeat(63)}`),
      nodePort: fc.integer({ min: 30_000, max: 32_767 }),
    },
    { requiredKeys: ['port'] },
  );
  const spec = fc.record(
    {
      type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
      clusterIP: fc.constantFrom('None', '10.96.0.5', ''),
      externalName: fc.constant('x.org'),
      ports: fc.array(port, { maxLength: 120 }),
      sessionAffinity: fc.constantFrom('None', 'ClientIP'),
      sessionAffinityConfig: fc.constant({ clientIP: { timeoutSeconds: 10_800 } }),
      internalTrafficPolicy: fc.constantFrom('Cluster', 'Local'),
    },
    { requiredKeys: [] },
  );
  const labels = fc.dictionary(fc.constantFrom('a', 'b/c', 'headcut.dev/x'), fc.constantFrom('', 'v'.repeat(63)));
  const endpointPorts = fc.array(fc.record({ name: fc.constantFrom('', 'http'), port: fc.constantFrom(80, null) }));
  fc.assert(
    fc.property(spec, labels, endpointPorts, (drawn, drawnLabels, ports) => {
      const told = sent([service('web', drawn as Service['spec'], drawnLabels)], [slice('web', ['p', 'q'], { ports })]);
      expect(Check(body, told)).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test('addresses of Services travel beside them, where a former build overlooks them, and no other kind has any', () => {
  const told = sent([service('web', { clusterIP: '10.96.0.5' }), service('set', { clusterIP: 'None' })], []);
  expect(told.services.every((one) => !('clusterIP' in one))).toBe(true);
  expect(told.serviceAddresses).toEqual({ web: '10.96.0.5' });
  expect(fromSentState(told).map(({ name, clusterIP }) => [name, clusterIP])).toEqual([
    ['set', undefined],
    ['web', '10.96.0.5'],
  ]);
  expect(fromSentState({ services: told.services })).toEqual(told.services);
  const forged = { ...told, serviceAddresses: { set: '10.96.0.1' } };
  expect(fromSentState(forged).some(({ clusterIP }) => clusterIP !== undefined)).toBe(false);
  expect(Check(body, { ...told, serviceAddresses: { web: '1.2.3.4 }' } })).toBe(false);
});

test('very many Services and endpoints are told in part', () => {
  const many = Array.from({ length: 600 }, (_, index) => service(`s${index}`));
  const slices = Array.from({ length: 120 }, (_, index) =>
    slice('s0', ['p'], { ports: [{ name: '', port: index + 1, protocol: 'TCP' }] }),
  );
  expect(Check(body, sent(many, slices))).toBe(true);
});

test.each([
  ['an address that is none', { address: '::1' }],
  ['a field that is not known', { nodeName: 'b' }],
])('an endpoint with %s is not read', (_what, more) => {
  const told = sent([service('web')], [slice('web', ['p'])]);
  for (const endpoint of told.services[0]?.endpoints[0]?.endpoints ?? []) Object.assign(endpoint, more);
  expect(Check(body, told)).toBe(false);
});

test('a Service with a field that is not known is not read', () => {
  const [web] = sent([service('web')], []).services;
  expect(Check(body, { services: [{ ...web, externalIPs: ['1.2.3.4'] }] })).toBe(false);
});
