import { afterAll, afterEach, describe, expect, inject, test } from 'vitest';
import type { PeerLink, PeerLinks, PeerState, PodAddresses } from '../../src/agent/ports.ts';
import { ServiceMirrors } from '../../src/agent/service/service-mirrors.ts';
import { ServiceSender } from '../../src/agent/service/service-sender.ts';
import { ExportedPods } from '../../src/agent/sharing/exported-pods.ts';
import type { KubeObject, Pod } from '../../src/core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../../src/core/labels.ts';
import type { SentService, ServiceProblem } from '../../src/core/service/sent-service.ts';
import type { EndpointSlice, Service } from '../../src/core/service/service-objects.ts';
import type { ShadowPod } from '../../src/core/shadow-pod/shadow-pod.ts';
import { twinNamespaceName } from '../../src/core/shadow-pod/twin-namespace.ts';
import { createKubeClient } from '../../src/kube/client.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { ENDPOINT_SLICES, EVENTS, NAMESPACES, SERVICES } from '../../src/kube/resources.ts';
import { systemClock as clock } from '../../src/runtime/clock.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { FakeStore } from '../fake-store.ts';
import { freshNamespace } from './cluster.ts';
import { eventually } from './eventually.ts';

const { server, ca, token } = inject('apiServer');
const writes: string[] = [];
const client = createKubeClient({ server, ca, token }, clock, (method, path) => writes.push(`${method} ${path}`));
const stop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of stop.splice(0)) await end();
});
afterAll(() => client.close());

/** a is the consumer, this cluster is b, c is a third member. */
const addresses: PodAddresses = {
  synced: true,
  toImage: (local) => local.replace('10.244.0.', '100.64.1.'),
  toLocal: (image) => (image.startsWith('100.64.2.') ? image.replace('100.64.2.', '10.244.0.') : undefined),
  memberOf: (image) => ({ '100.64.1': 'a', '100.64.3': 'c' })[image.split('.').slice(0, 3).join('.')],
  onChange: () => {},
};

class FakeLinks implements PeerLinks {
  readonly synced = true;
  readonly states: Record<string, PeerState> = { a: 'Connected', c: 'Connected' };
  readonly told: SentService[][] = [];
  readonly pods = new Map([['u1', { uid: 'u1', namespace: 'demo', name: 'away', deleting: false }]]);
  problems: ServiceProblem[] = [];
  readonly #listeners: Parameters<PeerLinks['onChange']>[0][] = [];

  get(id: string): PeerLink | undefined {
    const state = this.states[id];
    if (state === undefined) return undefined;
    const call = (_name: string, { body }: { body: { services: SentService[] } }) => {
      this.told.push(body.services);
      return Promise.resolve({ problems: this.problems });
    };
    return { id, name: id, state, pods: this.pods, podsSynced: true, call } as unknown as PeerLink;
  }

  list(): PeerLink[] {
    return [];
  }

  onChange(listener: Parameters<PeerLinks['onChange']>[0]): void {
    this.#listeners.push(listener);
  }

  change(id: string, change: 'state' | 'pods'): void {
    for (const listener of this.#listeners) listener(id, change);
  }
}

/** Runs things until the end of the test. */
function run(...runnables: { run(signal: AbortSignal): Promise<void> }[]): void {
  const end = new AbortController();
  const running = Promise.all(runnables.map((one) => one.run(end.signal)));
  stop.push(() => {
    end.abort();
    return running;
  });
}

let count = 0;

async function startProvider() {
  count += 1;
  const origin = { cluster: 'a', namespace: `demo-${process.pid}-${count}` };
  const twin = twinNamespaceName(origin);
  await client.create(NAMESPACES, { metadata: { name: twin } });
  const spec = { originCluster: origin.cluster, originNamespace: origin.namespace };
  const shadow = { metadata: { name: 'away', namespace: twin }, spec } as ShadowPod;
  const pod: Pod = {
    metadata: { name: 'away', namespace: twin, uid: 'r1', labels: { [ORIGIN_CLUSTER_LABEL]: 'a' } },
    spec: { nodeName: 'b', containers: [{ name: 'c' }] },
    status: { phase: 'Running', podIP: '10.244.0.9', conditions: [{ type: 'Ready', status: 'True' }] },
  };
  const links = new FakeLinks();
  const shadowPods = new FakeStore([shadow]);
  const start = (known: PodAddresses = addresses) => {
    const options = { client, namespace: twin, labelSelector: ORIGIN_CLUSTER_LABEL, clock, logger };
    const services = new Reflector<Service>({ ...options, type: SERVICES });
    const slices = new Reflector<EndpointSlice>({ ...options, type: ENDPOINT_SLICES });
    const pods = new FakeStore<Pod>();
    const clusterDomain = 'cluster.local';
    const limits = () => ({ services: 100, endpoints: 10_000 });
    const deps = {
      client,
      services,
      slices,
      pods,
      shadowPods,
      links,
      addresses: known,
      exported: new ExportedPods(),
      clusterDomain,
      limits,
      clock,
      logger,
    };
    const mirrors = new ServiceMirrors(deps);
    run(services, slices, mirrors);
    pods.set(pod);
    return mirrors;
  };
  const update = (mirrors: ServiceMirrors, services: SentService[]) =>
    mirrors.update(origin.cluster, origin.namespace, services);
  const read = async () => ({
    services: (await client.list<Service>(SERVICES, { namespace: twin })).items,
    slices: (await client.list<EndpointSlice>(ENDPOINT_SLICES, { namespace: twin })).items,
  });
  return { twin, links, shadowPods, start, update, read };
}

const endpoint = (address: string) => ({ address, ready: true, serving: true, terminating: false });
const sent = (name: string, more: Partial<SentService> = {}): SentService => ({
  name,
  type: 'ClusterIP',
  labels: { team: 'x' },
  ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  endpoints: [
    {
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: [endpoint('100.64.1.5'), endpoint('100.64.2.9'), { ...endpoint('100.64.3.7'), hostname: 'web-0' }],
    },
  ],
  ...more,
});

/** One of every kind, with all that a Service can have. */
const everyKind: SentService[] = [
  sent('plain'),
  sent('sticky', { affinitySeconds: 60, localOnly: true }),
  sent('headless', { type: 'Headless', publishNotReadyAddresses: true }),
  sent('portless', { type: 'Headless', ports: [], endpoints: [{ ports: [], endpoints: [endpoint('100.64.1.5')] }] }),
  sent('unnamed', { ports: [{ port: 53, protocol: 'UDP', appProtocol: 'x.org/y' }] }),
  sent('outside', { type: 'ExternalName', externalName: 'x.org', ports: [], endpoints: [] }),
];

describe('the Services in a twin namespace', () => {
  test('are as their consumer told, and get no write when it tells them again, also after a restart', async () => {
    const { start, update, read } = await startProvider();
    expect(await update(start(), everyKind)).toEqual([]);
    const { services, slices } = await read();
    expect(services.map(({ metadata }) => metadata.name).sort()).toEqual(everyKind.map(({ name }) => name).sort());
    const plain = slices.find(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'plain');
    expect(plain?.endpoints?.map(({ addresses: [address], nodeName }) => [address, nodeName])).toEqual([
      ['100.64.1.5', undefined],
      ['10.244.0.9', 'b'],
      ['100.64.3.7', undefined],
    ]);
    writes.length = 0;
    expect(await update(start(), everyKind)).toEqual([]);
    await clock.sleep(300);
    expect(writes).toEqual([]);
  });

  test('change their kind, and go, when they do so at home', async () => {
    const { start, update, read } = await startProvider();
    const mirrors = start();
    await update(mirrors, [sent('web'), sent('db')]);
    await update(mirrors, [sent('web', { type: 'Headless' })]);
    await eventually(async () => {
      const { services, slices } = await read();
      expect(services.map(({ metadata, spec }) => [metadata.name, spec?.clusterIP])).toEqual([['web', 'None']]);
      expect(slices).toHaveLength(1);
    });
  });

  test('leave a foreign Service of the same name alone, and say so', async () => {
    const { twin, start, update, read } = await startProvider();
    const foreign = await client.create<Service>(SERVICES, {
      metadata: { name: 'web', namespace: twin },
      spec: { ports: [{ port: 1 }] },
    });
    const problems = await update(start(), [sent('web'), sent('db')]);
    expect(problems).toMatchObject([{ service: 'web', reason: 'NameTaken' }]);
    expect(problems[0]?.message).toContain("is not headcut's");
    const { services, slices } = await read();
    expect(services.find(({ metadata }) => metadata.name === 'web')).toMatchObject({
      metadata: { resourceVersion: foreign.metadata.resourceVersion },
    });
    expect(slices.map(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'])).toEqual(['db']);
  });

  test('lose the endpoints of a member that cannot be reached, and get them back', async () => {
    const { links, start, update, read } = await startProvider();
    await update(start(), [sent('web')]);
    const addressesNow = async () =>
      (await read()).slices.flatMap(({ endpoints }) => endpoints?.flatMap((one) => one.addresses) ?? []);
    links.states.c = 'Unreachable';
    links.change('c', 'state');
    await eventually(async () => expect(await addressesNow()).toEqual(['100.64.1.5', '10.244.0.9']));
    links.states.c = 'Connected';
    links.change('c', 'state');
    await eventually(async () => expect(await addressesNow()).toEqual(['100.64.1.5', '10.244.0.9', '100.64.3.7']));
  });

  test('lose such endpoints also before the consumer told anything to a new process', async () => {
    const { links, start, update, read } = await startProvider();
    await update(start(), [sent('web')]);
    for (const end of stop.splice(0)) await end();
    start();
    await clock.sleep(300);
    links.states.c = 'Unreachable';
    links.change('c', 'state');
    await eventually(async () => {
      const endpoints = (await read()).slices.flatMap((slice) => slice.endpoints ?? []);
      expect(endpoints.map(({ addresses: [address] }) => address)).toEqual(['100.64.1.5', '10.244.0.9']);
    });
  });

  test('are made again when somebody removes them', async () => {
    const { twin, start, update, read } = await startProvider();
    await update(start(), [sent('web')]);
    await client.delete(SERVICES, { namespace: twin, name: 'web' });
    await eventually(async () => expect((await read()).services).toHaveLength(1));
  });

  test('are waited for no longer when the last pod is gone', async () => {
    const { shadowPods, start, update } = await startProvider();
    const known = { ...addresses, synced: false };
    const updated = update(start(known), [sent('web')]);
    await clock.sleep(100);
    for (const { metadata } of shadowPods.list()) shadowPods.delete(`${metadata.namespace}/${metadata.name}`);
    expect(await updated).toEqual([]);
  });

  test('are refused where the peer has no pods', async () => {
    const { start } = await startProvider();
    await expect(start().update('x', 'demo', [])).rejects.toMatchObject({ code: 'FailedPrecondition' });
  });
});

async function startConsumer() {
  const namespace = await freshNamespace(client);
  const links = new FakeLinks();
  const pods = new FakeStore<Pod>();
  const sender = new ServiceSender({
    client,
    pods,
    nodesSynced: () => Promise.resolve(),
    nodes: { peerOf: (node) => (node.startsWith('headcut-') ? node.slice('headcut-'.length) : undefined) },
    mayLeave: () => true,
    links,
    addresses,
    clock,
    logger,
  });
  run(sender);
  const add = (name: string, uid: string, nodeName: string, podIP: string): void =>
    pods.set({
      metadata: { name, namespace, uid },
      spec: { nodeName, containers: [{ name: 'c' }] },
      status: { phase: 'Running', podIP },
    });
  const create = async (...objects: [KubeObject, typeof SERVICES][]) => {
    for (const [object, type] of objects) await client.create(type, object);
  };
  const web = { metadata: { name: 'web', namespace }, spec: { ports: [{ port: 80 }] } };
  const slice = {
    metadata: { name: 'web-1', namespace, labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ port: 8080 }],
    endpoints: [
      { addresses: ['10.244.0.5'], targetRef: { kind: 'Pod', name: 'home', namespace } },
      { addresses: ['100.64.3.7'], targetRef: { kind: 'Pod', name: 'away', namespace } },
    ],
  };
  return { namespace, links, pods, add, create, web, slice };
}

describe('the Services of an offloaded namespace', () => {
  test('are told to the peer that runs its pods, once for each change, and anew in a new session', async () => {
    const { links, add, create, web, slice } = await startConsumer();
    await create([web, SERVICES], [slice, ENDPOINT_SLICES]);
    add('home', 'u0', 'node', '10.244.0.5');
    await clock.sleep(200);
    expect(links.told).toEqual([]);
    add('away', 'u1', 'headcut-c', '100.64.3.7');
    await eventually(() => expect(links.told).toHaveLength(1));
    const [[told] = []] = links.told;
    expect(told).toMatchObject({ name: 'web', endpoints: [{ ports: [{ port: 8080 }] }] });
    expect(told?.endpoints[0]?.endpoints.map(({ address }) => address)).toEqual(['100.64.1.5', '100.64.3.7']);
    await create([{ ...web, metadata: { ...web.metadata, name: 'db' } }, SERVICES]);
    await eventually(() => expect(links.told.at(-1)?.map(({ name }) => name)).toEqual(['db', 'web']));
    const before = links.told.length;
    links.change('c', 'state');
    await clock.sleep(200);
    expect(links.told).toHaveLength(before);
    links.change('c', 'pods');
    await eventually(() => expect(links.told).toHaveLength(before + 1));
  });

  test('show on themselves why a peer does not have them', async () => {
    const { namespace, links, add, create, web } = await startConsumer();
    links.problems = [{ service: 'web', reason: 'NameTaken', message: 'it exists' }];
    await create([web, SERVICES]);
    add('away', 'u1', 'headcut-c', '100.64.3.7');
    await eventually(async () => {
      const { items } = await client.list(EVENTS, { namespace });
      // An API server that has just started may have something to say about the Service's address as well.
      const ours = items.filter((one) => one.reason === 'NameTaken');
      expect(ours).toMatchObject([{ message: 'on c: it exists', type: 'Warning' }]);
    });
  });
});
