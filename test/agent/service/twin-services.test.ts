import { expect, test } from 'vitest';
import { TwinServices } from '../../../src/agent/service/twin-services.ts';
import {
  HOME_ADDRESS_ANNOTATION,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  ORIGIN_CLUSTER_LABEL,
} from '../../../src/core/labels.ts';
import type { EndpointSlice, Service } from '../../../src/core/service/service-objects.ts';
import { FakeStore } from '../../fake-store.ts';

function copy(
  name: string,
  home: string | undefined,
  clusterIP: string,
  more: { member?: string; namespace?: string; managedBy?: string } = {},
): Service {
  const { member = 'red', namespace = `of-${member}`, managedBy = MANAGED_BY } = more;
  const annotations = home === undefined ? {} : { [HOME_ADDRESS_ANNOTATION]: home };
  return {
    metadata: {
      ...{ namespace, name, annotations },
      labels: { [ORIGIN_CLUSTER_LABEL]: member, [MANAGED_BY_LABEL]: managedBy },
    },
    spec: { clusterIP },
  };
}

function slice(of: string, conditions: object): EndpointSlice {
  return {
    metadata: { namespace: 'of-red', name: `${of}-0`, labels: { 'kubernetes.io/service-name': of } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.244.0.9'], conditions }],
  };
}

function start() {
  const services = new FakeStore<Service>();
  const slices = new FakeStore<EndpointSlice>();
  const ownServices = new FakeStore<Service>();
  const namespaces = new Map([
    ['of-red', 'red'],
    ['of-blue', 'blue'],
  ]);
  const forAll = ['headcut-system/headcut-dns'];
  const twins = new TwinServices({ services, slices, ownServices, forAll, twinOf: (name) => namespaces.get(name) });
  let told = 0;
  twins.onChange(() => {
    told += 1;
  });
  return { services, slices, ownServices, twins, namespaces, told: () => told };
}

test('the address of a Service at home leads to its copy here, once somebody is behind it', () => {
  const { services, slices, twins } = start();
  services.set(copy('web', '10.43.0.7', '10.96.0.9'));
  services.set(copy('other', '10.43.0.8', '10.96.0.10', { member: 'blue' }));
  expect(twins.servicesOf('red')).toEqual([{ home: '10.43.0.7', here: '10.96.0.9', empty: true }]);
  slices.set(slice('web', { ready: true }));
  expect(twins.servicesOf('red')).toEqual([{ home: '10.43.0.7', here: '10.96.0.9', empty: false }]);
  slices.set(slice('web', { ready: false, serving: false }));
  expect(twins.servicesOf('red')).toMatchObject([{ empty: true }]);
  // Those that end serve where nobody else does.
  slices.set(slice('web', { ready: false, serving: true, terminating: true }));
  expect(twins.servicesOf('red')).toMatchObject([{ empty: false }]);
  slices.delete('of-red/web-0');
  expect(twins.servicesOf('red')).toMatchObject([{ empty: true }]);
  services.delete('of-red/web');
  expect(twins.servicesOf('red')).toEqual([]);
});

test.each([
  ['whose home told no address', undefined, '10.96.0.9'],
  ['with an address that is none', '10.43.0.7 }', '10.96.0.9'],
  ['without an address here', '10.43.0.7', 'None'],
])('a copy %s has none', (_what, home, clusterIP) => {
  const { services, twins } = start();
  services.set(copy('web', home, clusterIP));
  expect(twins.servicesOf('red')).toEqual([]);
});

test.each([
  ["a tenant's namespace", { namespace: 'tenant' }],
  ["the twin of another member's namespace", { namespace: 'of-blue' }],
  ['its twin, by somebody else', { managedBy: 'tenant' }],
])('a Service that says to be a copy of a member leads none of its pods anywhere: in %s', (_where, more) => {
  const { services, twins } = start();
  services.set(copy('web', '10.43.0.7', '10.96.0.9', more));
  expect([...twins.servicesOf('red'), ...twins.servicesOf('blue')]).toEqual([]);
});

test('a copy counts once its namespace is known, and as long as that is a twin', () => {
  const { services, twins, namespaces } = start();
  services.set(copy('web', '10.43.0.7', '10.96.0.9', { namespace: 'late' }));
  expect(twins.servicesOf('red')).toEqual([]);
  namespaces.set('late', 'red');
  expect(twins.servicesOf('red')).toHaveLength(1);
  namespaces.delete('late');
  expect(twins.servicesOf('red')).toEqual([]);
});

test('of two copies with one address that one counts which is answered', () => {
  const { services, slices, twins } = start();
  services.set(copy('former', '10.43.0.7', '10.96.0.8'));
  services.set(copy('web', '10.43.0.7', '10.96.0.9'));
  slices.set(slice('web', { ready: true }));
  expect(twins.servicesOf('red')).toEqual([{ home: '10.43.0.7', here: '10.96.0.9', empty: false }]);
});

test('is known when what is behind Services is known too: none looks empty because the agent starts', async () => {
  const { slices, twins } = start();
  let sync = (): void => {};
  slices.whenSynced = () => new Promise((resolve) => (sync = resolve));
  const seen: string[] = [];
  const known = twins.whenSynced().then(() => seen.push('known'));
  await Promise.resolve();
  seen.push('slices');
  sync();
  await known;
  expect(seen).toEqual(['slices', 'known']);
});

test('tells when something changed, and only then', () => {
  const { services, slices, ownServices, twins, told } = start();
  services.set(copy('web', '10.43.0.7', '10.96.0.9'));
  slices.set(slice('web', { ready: true }));
  expect(told()).toBe(2);
  slices.set(slice('web', {}));
  services.set({ ...copy('web', '10.43.0.7', '10.96.0.9'), apiVersion: 'v1' });
  expect(told()).toBe(2);
  ownServices.set({
    metadata: { namespace: 'headcut-system', name: 'headcut-dns' },
    spec: { clusterIP: '10.96.0.53' },
  });
  expect(told()).toBe(3);
  expect(twins.local()).toEqual(['10.96.0.53']);
});
