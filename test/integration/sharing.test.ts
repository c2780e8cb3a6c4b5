import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import type { PeerLink, PeerLinks, PeerState, PodAddresses } from '../../src/agent/ports.ts';
import { ExportedPods } from '../../src/agent/sharing/exported-pods.ts';
import { KnownExports } from '../../src/agent/sharing/known-exports.ts';
import { OwnExports } from '../../src/agent/sharing/own-exports.ts';
import { ServiceImports } from '../../src/agent/sharing/service-imports.ts';
import type { KubeObject, Node, Pod } from '../../src/core/kube-objects.ts';
import type { EndpointSlice, Service } from '../../src/core/service/service-objects.ts';
import { derivedName, type ServiceExport, type ServiceImport } from '../../src/core/sharing/sharing-objects.ts';
import type { ToldExport } from '../../src/core/sharing/told-export.ts';
import { createKubeClient } from '../../src/kube/client.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import {
  ENDPOINT_SLICES,
  NAMESPACES,
  PODS,
  SERVICE_EXPORTS,
  SERVICE_IMPORTS,
  SERVICES,
} from '../../src/kube/resources.ts';
import { sharingKinds } from '../../src/ops/install-objects.ts';
import { systemClock as clock } from '../../src/runtime/clock.ts';
import { silentLogger as logger } from '../../src/runtime/logger.ts';
import { A, B, C, endpoint, tcp, told } from '../core/sharing/sharing-fixture.ts';
import { FakeStore } from '../fake-store.ts';
import { freshNamespace } from './cluster.ts';
import { eventually } from './eventually.ts';

const { server, ca, token } = inject('apiServer');
const writes: string[] = [];
const client = createKubeClient({ server, ca, token }, clock, (method, path) => writes.push(`${method} ${path}`));
const stop: (() => Promise<unknown>)[] = [];

const CUSTOM_RESOURCE_DEFINITIONS = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

beforeAll(async () => {
  for (const kind of sharingKinds()) await client.apply(CUSTOM_RESOURCE_DEFINITIONS, kind, { force: true });
  await eventually(async () => void (await client.list(SERVICE_IMPORTS)));
});
afterEach(async () => {
  for (const end of stop.splice(0)) await end();
});
afterAll(() => client.close());

/** This cluster is A; B and C are members. Everybody's pods are 10.244.0.x at home. */
const PREFIX: Record<string, string> = { [A]: '100.64.1.', [B]: '100.64.2.', [C]: '100.64.3.' };
const addresses: PodAddresses = {
  synced: true,
  toImage: (local) => local.replace('10.244.0.', PREFIX[A] ?? ''),
  toLocal: (image) => (image.startsWith(PREFIX[A] ?? '') ? image.replace(PREFIX[A] ?? '', '10.244.0.') : undefined),
  memberOf: (image) => [B, C].find((id) => image.startsWith(PREFIX[id] ?? 'x')),
  onChange: () => {},
};

class FakeLinks implements PeerLinks {
  readonly synced = true;
  readonly states: Record<string, PeerState> = { [B]: 'Connected', [C]: 'Connected' };
  readonly #listeners: Parameters<PeerLinks['onChange']>[0][] = [];

  get(id: string): PeerLink | undefined {
    const state = this.states[id];
    if (state === undefined) return undefined;
    return { id, name: id.slice(0, 1), state, podsSynced: true, speaks: () => true } as unknown as PeerLink;
  }

  list(): PeerLink[] {
    return Object.keys(this.states).flatMap((id) => this.get(id) ?? []);
  }

  onChange(listener: Parameters<PeerLinks['onChange']>[0]): void {
    this.#listeners.push(listener);
  }

  become(id: string, state: PeerState | undefined): void {
    if (state === undefined) delete this.states[id];
    else this.states[id] = state;
    for (const listener of this.#listeners) listener(id, state === undefined ? 'removed' : 'state');
  }
}

async function startMember(namespace?: string) {
  const at = namespace ?? (await freshNamespace(client));
  const options = { client, namespace: at, clock, logger };
  const exports = new Reflector<ServiceExport>({ ...options, type: SERVICE_EXPORTS });
  const imports = new Reflector<ServiceImport>({ ...options, type: SERVICE_IMPORTS });
  const services = new Reflector<Service>({ ...options, type: SERVICES, labelSelector: 'headcut.dev/import' });
  const slices = new Reflector<EndpointSlice>({
    ...options,
    type: ENDPOINT_SLICES,
    labelSelector: 'multicluster.kubernetes.io/service-name',
  });
  const namespaces = new Reflector<KubeObject>({
    client,
    type: NAMESPACES,
    fieldSelector: `metadata.name=${at}`,
    clock,
    logger,
  });
  const pods = new Reflector<Pod>({ ...options, type: PODS });
  const links = new FakeLinks();
  const known = new KnownExports(clock, () => ({ services: 1_000, endpoints: 20_000 }));
  const isOffloaded = (): boolean => false;
  const exported = new ExportedPods();
  const nodes = new FakeStore<Node>([{ metadata: { name: 'n' }, spec: { podCIDR: '10.244.0.0/24' } }]);
  const own = new OwnExports({
    ...{ client, exports, namespaces, nodes, pods, isOffloaded, addresses, exported, clock, logger },
  });
  const computed = new ServiceImports({
    ...{ client, own, known, exports, imports, services, slices, namespaces, pods, links, addresses, clock, logger },
    self: { id: A, name: () => 'a' },
    mayImport: () => true,
    problemOf: () => undefined,
  });
  const end = new AbortController();
  const running = Promise.all(
    [exports, imports, services, slices, namespaces, pods, own, computed].map((one) => one.run(end.signal)),
  );
  const stopped = async (): Promise<void> => {
    end.abort();
    await running;
  };
  stop.push(stopped);
  const tells = (cluster: string, ...all: ToldExport[]) =>
    known.take(cluster, { begins: true, ends: true, exports: all });
  return { namespace: at, links, known, exported, tells, stopped };
}

/** An export of `cluster` with one ready pod for each number. */
const exportOf = (cluster: string, namespace: string, pods: number[], more: Partial<ToldExport> = {}): ToldExport =>
  told({
    namespace,
    endpoints: [
      { ports: [{ ...tcp(8080), name: 'http' }], endpoints: pods.map((n) => endpoint(`${PREFIX[cluster]}${n}`)) },
    ],
    ...more,
  });

async function look(namespace: string, name = 'web') {
  const find = async <T extends KubeObject>(type: typeof SERVICES, one: string): Promise<T | undefined> =>
    (await client.list<T>(type, { namespace })).items.find(({ metadata }) => metadata.name === one);
  const slices = (await client.list<EndpointSlice>(ENDPOINT_SLICES, { namespace })).items.filter(
    ({ metadata }) => metadata.labels?.['multicluster.kubernetes.io/service-name'] === name,
  );
  return {
    serviceImport: await find<ServiceImport>(SERVICE_IMPORTS, name),
    service: await find<Service>(SERVICES, derivedName(name)),
    addresses: slices.flatMap((slice) => (slice.endpoints ?? []).flatMap((one) => one.addresses)).sort(),
    slices,
  };
}

const conditionOf = (object: { status?: { conditions?: { type: string }[] } } | undefined, type: string) =>
  object?.status?.conditions?.find((one) => one.type === type);

const ownService = async (namespace: string, spec: Service['spec'] = {}) =>
  client.create<Service>(SERVICES, {
    metadata: { namespace, name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, protocol: 'TCP' }], ...spec },
  });
const ownExport = async (namespace: string) =>
  client.create<ServiceExport>(SERVICE_EXPORTS, { metadata: { namespace, name: 'web' } });
const exportThere = (namespace: string) => client.get<ServiceExport>(SERVICE_EXPORTS, { namespace, name: 'web' });

describe('what members export', () => {
  test('is imported with an address, endpoints and the standard labels, and goes when nobody exports it', async () => {
    const { namespace, tells } = await startMember();
    tells(B, exportOf(B, namespace, [1]));
    tells(C, exportOf(C, namespace, [1, 2], { since: 2_000, affinitySeconds: 10 }));
    await eventually(async () => {
      const { serviceImport, service, addresses: all } = await look(namespace);
      expect(all).toEqual(['100.64.2.1', '100.64.3.1', '100.64.3.2']);
      expect(serviceImport?.spec).toMatchObject({
        type: 'ClusterSetIP',
        ports: [tcp(80, 'http')],
        ips: [service?.spec?.clusterIP],
        ipFamilies: ['IPv4'],
        sessionAffinity: 'None',
      });
      expect(serviceImport?.status?.clusters).toEqual([{ cluster: B }, { cluster: C }]);
      expect(conditionOf(serviceImport, 'Ready')).toMatchObject({ status: 'True', reason: 'Ready' });
    });
    tells(B);
    await eventually(async () => expect((await look(namespace)).addresses).toEqual(['100.64.3.1', '100.64.3.2']));
    tells(C);
    await eventually(async () =>
      expect(await look(namespace)).toEqual({
        serviceImport: undefined,
        service: undefined,
        addresses: [],
        slices: [],
      }),
    );
  });

  test('gets no write when it is told again, nor when the agent starts again', async () => {
    const first = await startMember();
    const { namespace } = first;
    const all = ['ClusterSetIP', 'Headless'].map((type) =>
      exportOf(B, namespace, [1], {
        name: type.toLowerCase(),
        type: type as 'Headless',
        affinitySeconds: 30,
        trafficDistribution: 'PreferClose',
        labels: { tier: 'x' },
        annotations: { note: 'y' },
      }),
    );
    first.tells(B, ...all);
    first.tells(C);
    await eventually(async () => {
      for (const name of ['clustersetip', 'headless'])
        expect(conditionOf((await look(namespace, name)).serviceImport, 'Ready')).toBeDefined();
    });
    await clock.sleep(300);
    writes.length = 0;
    first.tells(B, ...all);
    await first.stopped();
    const again = await startMember(namespace);
    again.tells(B, ...all);
    again.tells(C);
    await clock.sleep(800);
    expect(writes).toEqual([]);
    const { slices } = await look(namespace, 'clustersetip');
    expect(slices[0]?.endpoints?.[0]).toMatchObject({ hints: { forNodes: [{ name: B }] } });
  });

  test('loses the endpoints of a lost member within a second, keeps its import, and has them again when it is back', async () => {
    const { namespace, tells, links } = await startMember();
    tells(B, exportOf(B, namespace, [1]));
    await eventually(async () => expect((await look(namespace)).addresses).toEqual(['100.64.2.1']));
    const { service } = await look(namespace);
    links.become(B, 'Unreachable');
    await eventually(async () => expect((await look(namespace)).addresses).toEqual([]), 1_000);
    const without = await look(namespace);
    expect(without.serviceImport).toBeDefined();
    expect(without.service?.spec?.clusterIP).toBe(service?.spec?.clusterIP);
    links.become(B, 'Connected');
    await eventually(async () => expect((await look(namespace)).addresses).toEqual(['100.64.2.1']), 1_000);
    links.become(B, undefined);
    await eventually(async () => expect((await look(namespace)).serviceImport).toBeUndefined());
  });

  test('stays after a start of the agent until its exporter was heard', async () => {
    const first = await startMember();
    const { namespace } = first;
    first.tells(B, exportOf(B, namespace, [1]));
    await eventually(async () =>
      expect((await look(namespace)).serviceImport?.status?.clusters).toEqual([{ cluster: B }]),
    );
    await first.stopped();
    const again = await startMember(namespace);
    again.tells(C);
    await clock.sleep(500);
    expect((await look(namespace)).addresses).toEqual(['100.64.2.1']);
    again.tells(B);
    await eventually(async () => expect((await look(namespace)).serviceImport).toBeUndefined());
  });

  test('of five hundred at once is all imported, and gone again', async () => {
    const { namespace, tells } = await startMember();
    const names = Array.from({ length: 500 }, (_, i) => `web-${i}`);
    const startedAt = clock.monotonic();
    for (let at = 0; at < 500; at += 200)
      tells(B, ...names.slice(0, at + 200).map((name) => exportOf(B, namespace, [1, 2], { name })));
    await eventually(async () => {
      await clock.sleep(1_000);
      const { items } = await client.list<ServiceImport>(SERVICE_IMPORTS, { namespace });
      expect(items.filter((one) => conditionOf(one, 'Ready') !== undefined)).toHaveLength(500);
    }, 100_000);
    console.info(`500 imports in ${Math.round(clock.monotonic() - startedAt)} ms`);
    tells(B);
    await eventually(async () => expect((await client.list(SERVICE_IMPORTS, { namespace })).items).toEqual([]), 60_000);
    expect((await client.list(ENDPOINT_SLICES, { namespace })).items).toEqual([]);
  }, 180_000);
});

describe('what a member exports itself', () => {
  test('is imported at home as well, where the slice names its pods by their own addresses', async () => {
    const { namespace, tells, exported } = await startMember();
    tells(B);
    await client.create(PODS, {
      metadata: { namespace, name: 'web-0', labels: { app: 'web' } },
      spec: { nodeName: 'n', containers: [{ name: 'c', image: 'x' }] },
    });
    const running = { phase: 'Running', podIP: '10.244.0.7', podIPs: [{ ip: '10.244.0.7' }] };
    await client.patch(PODS, { namespace, name: 'web-0', subresource: 'status' }, { status: running });
    await ownService(namespace);
    await client.create<EndpointSlice>(ENDPOINT_SLICES, {
      metadata: { namespace, name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: [
        {
          addresses: ['10.244.0.7'],
          conditions: { ready: true },
          targetRef: { kind: 'Pod', namespace, name: 'web-0' },
        },
        { addresses: ['192.0.2.1'], conditions: { ready: true } },
      ],
    });
    await ownExport(namespace);
    await eventually(async () => {
      const { addresses: all, slices } = await look(namespace);
      expect(all).toEqual(['10.244.0.7']);
      expect(slices[0]?.endpoints?.[0]).toMatchObject({ nodeName: 'n', targetRef: { kind: 'Pod', name: 'web-0' } });
      const found = await exportThere(namespace);
      expect(found.status?.conditions?.map(({ type, status, reason }) => [type, status, reason])).toEqual([
        ['Valid', 'True', 'Valid'],
        ['Ready', 'True', 'Exported'],
        ['Conflict', 'False', 'NoConflicts'],
      ]);
    });
    expect(exported.has(namespace, '10.244.0.7')).toBe(true);
    await client.delete(SERVICE_EXPORTS, { namespace, name: 'web' });
    await eventually(async () => expect((await look(namespace)).serviceImport).toBeUndefined());
    expect(exported.has(namespace, '10.244.0.7')).toBe(false);
  });

  test.each([
    ['NoService', undefined],
    ['InvalidServiceType', { type: 'ExternalName', externalName: 'x.example' }],
  ])('is invalid where there is nothing to export: %s', async (reason, spec) => {
    const { namespace, tells } = await startMember();
    tells(B);
    if (spec !== undefined) await client.create<Service>(SERVICES, { metadata: { namespace, name: 'web' }, spec });
    await ownExport(namespace);
    await eventually(async () =>
      expect(conditionOf(await exportThere(namespace), 'Valid')).toMatchObject({ status: 'False', reason }),
    );
    expect((await look(namespace)).serviceImport).toBeUndefined();
  });

  test('is in conflict as long as another member exports it otherwise', async () => {
    const { namespace, tells } = await startMember();
    tells(C);
    await ownService(namespace);
    await ownExport(namespace);
    const younger = Date.now() + 60_000;
    tells(
      B,
      exportOf(B, namespace, [1], { since: younger, ports: [tcp(80, 'http'), tcp(81, 'more')], labels: { a: 'b' } }),
    );
    await eventually(async () => {
      expect(conditionOf(await exportThere(namespace), 'Conflict')).toMatchObject({
        status: 'True',
        reason: 'PortConflict,LabelsConflict',
        message: expect.stringContaining('the ports of b differ from those of a'),
      });
      expect((await look(namespace)).serviceImport?.spec?.ports).toEqual([tcp(80, 'http'), tcp(81, 'more')]);
    });
    tells(B, exportOf(B, namespace, [1], { since: younger }));
    await eventually(async () =>
      expect(conditionOf(await exportThere(namespace), 'Conflict')).toMatchObject({
        status: 'False',
        reason: 'NoConflicts',
      }),
    );
  });
});

describe('a hostile member', () => {
  test('takes no name of a Service or an import that a user made, and changes none', async () => {
    const { namespace, tells } = await startMember();
    const mine = await ownService(namespace);
    const derived = await client.create<Service>(SERVICES, {
      metadata: { namespace, name: derivedName('db') },
      spec: { ports: [{ port: 1 }] },
    });
    const foreign = await client.create<ServiceImport>(SERVICE_IMPORTS, {
      metadata: { namespace, name: 'cache' },
      spec: { type: 'Headless', ports: [] },
    });
    tells(B, ...['web', 'db', 'cache'].map((name) => exportOf(B, namespace, [1], { name })));
    await eventually(async () => expect((await look(namespace)).addresses).toEqual(['100.64.2.1']));
    await clock.sleep(300);
    const now = async (name: string) => client.get<Service>(SERVICES, { namespace, name });
    expect((await now('web')).metadata.resourceVersion).toBe(mine.metadata.resourceVersion);
    expect((await now(derivedName('db'))).metadata.resourceVersion).toBe(derived.metadata.resourceVersion);
    const { serviceImport, slices } = await look(namespace, 'cache');
    expect(serviceImport?.metadata.resourceVersion).toBe(foreign.metadata.resourceVersion);
    expect(slices).toEqual([]);
    tells(B);
    await eventually(async () => expect((await look(namespace)).serviceImport).toBeUndefined());
    expect((await now('web')).metadata.uid).toBe(mine.metadata.uid);
    expect((await now(derivedName('db'))).metadata.uid).toBe(derived.metadata.uid);
    expect((await look(namespace, 'cache')).serviceImport?.metadata.uid).toBe(foreign.metadata.uid);
  });

  test('leads nobody to anything but its own pods', async () => {
    const { namespace, tells } = await startMember();
    const hostile = [
      `${PREFIX[A]}5`,
      `${PREFIX[C]}6`,
      '10.244.0.5',
      '169.254.169.254',
      '127.0.0.1',
      '10.96.0.1',
      '0.0.0.0',
    ];
    const endpoints = [...hostile, `${PREFIX[B]}1`].map((address) => endpoint(address));
    tells(B, told({ namespace, endpoints: [{ ports: [{ ...tcp(8080), name: 'http' }], endpoints }] }));
    await eventually(async () => expect((await look(namespace)).addresses).toEqual(['100.64.2.1']));
  });

  test('keeps nobody from an import by ports, labels and settings that the API server refuses', async () => {
    const { namespace, tells } = await startMember();
    const ports = [
      { ...tcp(81), name: 'A B!' },
      { ...tcp(82, 'a'), appProtocol: 'a b' },
      { ...tcp(83, 'b'), appProtocol: 'x'.repeat(320) },
    ];
    const labels = { '-.-/a': 'x', 'a..b/c': 'x', tier: 'x' };
    tells(B, exportOf(B, namespace, [1], { ports, labels, annotations: labels, trafficDistribution: 'Anywhere' }));
    tells(C, exportOf(C, namespace, [1], { since: 2_000 }));
    await eventually(async () => {
      const { serviceImport, addresses: all } = await look(namespace);
      expect(all).toEqual(['100.64.3.1']);
      expect(serviceImport?.spec?.ports).toEqual([tcp(80, 'http')]);
      expect(serviceImport?.metadata.labels).toMatchObject({ tier: 'x' });
    });
  });

  test.each(['PreferClose', 'PreferSameZone', 'PreferSameNode'])(
    'may ask for each traffic distribution that there is: %s',
    async (trafficDistribution) => {
      const { namespace, tells } = await startMember();
      tells(B, exportOf(B, namespace, [1], { trafficDistribution }));
      await eventually(async () =>
        expect((await look(namespace)).serviceImport?.spec).toMatchObject({ trafficDistribution }),
      );
    },
  );

  test('makes no namespace by exporting from one', async () => {
    const { namespace, tells, known } = await startMember();
    tells(B, exportOf(B, `${namespace}-x`, [1]), exportOf(B, namespace, [1]));
    await eventually(async () => expect((await look(namespace)).addresses).toHaveLength(1));
    expect(known.keys(B)).toHaveLength(2);
    const { items } = await client.list(NAMESPACES);
    expect(items.map(({ metadata }) => metadata.name)).not.toContain(`${namespace}-x`);
  });
});
