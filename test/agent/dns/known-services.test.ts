import { expect, test } from 'vitest';
import { KnownServices } from '../../../src/agent/dns/known-services.ts';
import type { Service } from '../../../src/core/service/service-objects.ts';
import { FakeStore } from '../../fake-store.ts';

function service(name: string): Service {
  return { metadata: { namespace: 'twin', name }, spec: {} };
}

function start(objects: Service[] = []) {
  const clock = { at: 0, now: () => 0, monotonic: () => clock.at, sleep: () => Promise.resolve() };
  const store = new FakeStore<Service>(objects);
  return { clock, store, known: new KnownServices({ services: store, clock }) };
}

test('a Service that was there at the start can be used', () => {
  expect(start([service('web')]).known.usableInMs('twin/web')).toBe(0);
});

test('a new Service can be used when kube-proxy has had time to see it', () => {
  const { clock, store, known } = start();
  expect(known.usableInMs('twin/web')).toBeUndefined();
  clock.at = 5_000;
  store.set(service('web'));
  expect(known.usableInMs('twin/web')).toBe(1_200);
  clock.at = 6_000;
  store.set({ ...service('web'), spec: { type: 'ClusterIP' } });
  expect(known.usableInMs('twin/web')).toBe(200);
  clock.at = 6_200;
  expect(known.usableInMs('twin/web')).toBe(0);
});

test('a Service that is gone is not there, and new when it comes again', () => {
  const { clock, store, known } = start([service('web')]);
  store.delete('twin/web');
  expect(known.usableInMs('twin/web')).toBeUndefined();
  clock.at = 100;
  store.set(service('web'));
  expect(known.usableInMs('twin/web')).toBe(1_200);
});

test('nothing is said not to be there before all Services are known', () => {
  const { store, known } = start();
  store.synced = false;
  expect(known.usableInMs('twin/web')).toBe(0);
});
