import { afterEach, expect, test, vi } from 'vitest';
import type { PeerLink, PeerLinks, PodAddresses } from '../../../src/agent/ports.ts';
import { ExportedPods } from '../../../src/agent/sharing/exported-pods.ts';
import { KnownExports } from '../../../src/agent/sharing/known-exports.ts';
import { OwnExports } from '../../../src/agent/sharing/own-exports.ts';
import { ServiceImports } from '../../../src/agent/sharing/service-imports.ts';
import { type KubeObject, type Node, objectKey, type Pod } from '../../../src/core/kube-objects.ts';
import type { EndpointSlice, Service } from '../../../src/core/service/service-objects.ts';
import { derivedName, type ServiceExport, type ServiceImport } from '../../../src/core/sharing/sharing-objects.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { ResourceType } from '../../../src/kube/resources.ts';
import { systemClock as clock } from '../../../src/runtime/clock.ts';
import { silentLogger as logger } from '../../../src/runtime/logger.ts';
import { A, B, endpoint, tcp, told } from '../../core/sharing/sharing-fixture.ts';
import { FakeStore } from '../../fake-store.ts';

let ended = new AbortController();
afterEach(() => ended.abort());

/** A cluster whose API server refuses what `refuses` says, by `METHOD PLURAL`. */
function start() {
  ended = new AbortController();
  const stores = {
    services: new FakeStore<Service>(),
    endpointslices: new FakeStore<EndpointSlice>(),
    serviceimports: new FakeStore<ServiceImport>(),
    serviceexports: new FakeStore<ServiceExport>(),
  };
  const refuses = new Set<string>();
  const writes: string[] = [];
  let version = 0;
  const store = ({ plural }: ResourceType): FakeStore<KubeObject> =>
    stores[plural as 'services'] as FakeStore<KubeObject>;
  const write = (method: string, type: ResourceType): void => {
    writes.push(`${method} ${type.plural}`);
    if (refuses.has(`${method} ${type.plural}`)) throw new ApiError(422, { message: 'not so' });
  };
  const put = (type: ResourceType, object: KubeObject): KubeObject => {
    version += 1;
    const metadata = { uid: `u${version}`, ...object.metadata, resourceVersion: `${version}` };
    store(type).set({ ...object, metadata });
    return { ...object, metadata };
  };
  const client = {
    create: async (type: ResourceType, object: KubeObject) => {
      write('create', type);
      return put(type, object);
    },
    replace: async (type: ResourceType, object: KubeObject) => {
      write('replace', type);
      return put(type, object);
    },
    patch: async (type: ResourceType, address: { namespace: string; name: string }, change: object) => {
      write('patch', type);
      return put(type, { ...(store(type).get(objectKey({ metadata: address })) as KubeObject), ...change });
    },
    delete: async (type: ResourceType, address: { namespace: string; name: string }) => {
      write('delete', type);
      store(type).delete(objectKey({ metadata: address }));
    },
  } as unknown as ConstructorParameters<typeof ServiceImports>[0]['client'];
  const peer = { speaks: true };
  const link = { id: B, name: 'b', state: 'Connected', podsSynced: true, speaks: () => peer.speaks };
  const heard: Parameters<PeerLinks['onChange']>[0][] = [];
  const links: PeerLinks = {
    synced: true,
    get: (id) => (id === B ? (link as unknown as PeerLink) : undefined),
    list: () => [link as unknown as PeerLink],
    onChange: (listener) => void heard.push(listener),
  };
  const addresses: PodAddresses = {
    ...{ synced: true, toImage: () => undefined, toLocal: () => undefined, onChange: () => {} },
    memberOf: (image) => (image.startsWith('100.64.2.') ? B : undefined),
  };
  const pods = new FakeStore<Pod>();
  const namespaces = new FakeStore<KubeObject>([{ metadata: { name: 'shop' } }]);
  const { services, endpointslices: slices, serviceimports: imports, serviceexports: exports } = stores;
  const known = new KnownExports(clock, () => ({ services: 5_000, endpoints: 5_000 }));
  const own = new OwnExports({
    ...{ client: client as never, exports, namespaces, pods, isOffloaded: () => false, addresses, clock, logger },
    nodes: new FakeStore<Node>(),
    exported: new ExportedPods(),
  });
  const computed = new ServiceImports({
    ...{ client, own, known, exports, imports, services, slices, namespaces, pods, links, addresses, clock, logger },
    ...{ self: { id: A, name: () => 'a' }, mayImport: () => true, problemOf: () => undefined },
  });
  const run = (): void => void computed.run(ended.signal);
  const tell = (...hosts: number[]): void => {
    const ports = [tcp(8080, 'http')];
    const endpoints = [{ ports, endpoints: hosts.map((host) => endpoint(`100.64.2.${host}`)) }];
    known.take(B, { begins: true, ends: true, exports: [told({ endpoints, labels: { tier: `${hosts.length}` } })] });
  };
  const shown = (): string[] => slices.list().flatMap((one) => (one.endpoints ?? []).flatMap((e) => e.addresses));
  const say = (): void => {
    for (const listener of heard) listener(B, 'state');
  };
  return { ...stores, computed, known, refuses, writes, run, tell, shown, peer, say };
}

test('an import that the API server refuses is not tried again because of what was taken away for it', async () => {
  const { refuses, writes, run, tell, services, serviceimports } = start();
  refuses.add('create serviceimports');
  tell(1);
  run();
  await vi.waitFor(() => expect(writes).toContain('delete services'));
  await clock.sleep(400);
  expect(writes).toHaveLength(5);
  expect(services.list()).toEqual([]);
  refuses.clear();
  tell(1, 2);
  await vi.waitFor(() => expect(serviceimports.list()).toHaveLength(1));
});

test('endpoints are as they are said also where the API server refuses to change the Service', async () => {
  const { refuses, run, known, tell, shown, services } = start();
  tell(1);
  run();
  await vi.waitFor(() => expect(shown()).toEqual(['100.64.2.1']));
  refuses.add('patch services');
  const endpoints = [{ ports: [tcp(8080, 'http')], endpoints: [endpoint('100.64.2.9')] }];
  known.take(B, { exports: [told({ affinitySeconds: 9, endpoints })] });
  await vi.waitFor(() => expect(shown()).toEqual(['100.64.2.9']));
  expect(services.get(`shop/${derivedName('web')}`)).toBeDefined();
});

test('what a member exported goes when it comes back as a build that knows nothing of exports', async () => {
  const { run, tell, shown, known, peer, say } = start();
  tell(1);
  run();
  await vi.waitFor(() => expect(shown()).toEqual(['100.64.2.1']));
  peer.speaks = false;
  say();
  expect(known.keys(B)).toEqual([]);
  await vi.waitFor(() => expect(shown()).toEqual([]));
});

test('nothing waits for a cluster that does not serve the kinds, and all is imported once it does', async () => {
  const { run, tell, shown, computed, say } = start();
  tell(1);
  say();
  expect(computed.controller.stats().queued).toBe(0);
  run();
  await vi.waitFor(() => expect(shown()).toEqual(['100.64.2.1']));
});
