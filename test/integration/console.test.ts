import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { History } from '../../src/agent/history/history.ts';
import { ClusterWatch } from '../../src/console/cluster-watch.ts';
import { Rights } from '../../src/console/rights.ts';
import { federationView } from '../../src/core/console/members-view.ts';
import { workloadsView } from '../../src/core/console/workloads-view.ts';
import type { KubeObject, Node, Pod } from '../../src/core/kube-objects.ts';
import type { PeerObject } from '../../src/core/membership/peer-object.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { CONFIG_MAPS, EVENTS, type ResourceType, ROLE_BINDINGS, SERVICE_ACCOUNTS } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { FakeStore } from '../fake-store.ts';
import { adminClient, applyManifests, freshNamespace } from './cluster.ts';

/** What the console may see and do, as a real API server decides it. */

const ROLES: ResourceType = { ...ROLE_BINDINGS, plural: 'roles', kind: 'Role' };
const admin = adminClient();
const clients: KubeClient[] = [admin];
const stop = new AbortController();
let own = '';
let other = '';

/** A client with the token of a ServiceAccount. */
async function clientOf(namespace: string, name: string): Promise<KubeClient> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const { status } = (await admin.request('POST', path, { body })) as { status: { token: string } };
  const { server, ca } = admin.connection;
  const client = createKubeClient({ server, ca, token: status.token });
  clients.push(client);
  return client;
}

async function openWatch(client: KubeClient, namespace: string): Promise<{ watch: ClusterWatch; rights: Rights }> {
  const rights = new Rights(client, systemClock);
  const watch = new ClusterWatch({ client, rights, namespace, clock: systemClock, logger: silentLogger });
  await watch.open(stop.signal);
  return { watch, rights };
}

async function eventually(check: () => Promise<void> | void): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await check();
    } catch (error) {
      if (tries > 100) throw error;
      await systemClock.sleep(100);
    }
  }
}

beforeAll(async () => {
  applyManifests();
  own = await freshNamespace(admin);
  other = await freshNamespace(admin);
  await admin.create(SERVICE_ACCOUNTS, { metadata: { name: 'user', namespace: own } });
  // As `edit` of Kubernetes, which a controller manager puts together.
  const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
  await admin.create(ROLES, {
    metadata: { name: 'user', namespace: own },
    rules: [
      { apiGroups: [''], resources: ['pods'], verbs },
      { apiGroups: [''], resources: ['namespaces', 'events', 'pods/log'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: ['apps'], resources: ['deployments', 'statefulsets'], verbs },
      { apiGroups: ['headcut.dev'], resources: ['offloadings'], verbs },
    ],
  });
  await admin.create(ROLE_BINDINGS, {
    metadata: { name: 'user', namespace: own },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'user' },
    subjects: [{ kind: 'ServiceAccount', name: 'user', namespace: own }],
  });
  for (const [namespace, component] of [
    [own, 'headcut'],
    [own, 'somebody'],
    [other, 'headcut'],
  ] as const)
    await admin.create(EVENTS, {
      metadata: { name: `${component}.1`, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name: 'web' },
      ...{ type: 'Normal', reason: 'Started', message: component, source: { component } },
    });
});
afterAll(async () => {
  stop.abort();
  await Promise.all(clients.map((client) => client.close()));
});

describe('the console', () => {
  test('shows an administrator all, and of Events those of the agent', async () => {
    const { watch, rights } = await openWatch(admin, 'default');
    expect(watch.unseen).toEqual([]);
    await eventually(() => expect(watch.events().map(({ message }) => message)).toContain('headcut'));
    expect(watch.events().map(({ message }) => message)).not.toContain('somebody');
    expect(workloadsView(watch.world(), watch.makers()).namespaces.map(({ name }) => name)).toEqual(
      expect.arrayContaining([own, other, 'headcut-system']),
    );
    expect((await rights.overview([own])).namespaces[own]).toEqual(['offload', 'unoffload', 'rebalance']);
    expect((await rights.overview([])).actions).toEqual(['invite', 'approve', 'drain', 'undrain', 'forget']);
  });

  test('shows who may edit one namespace that one, and offers nothing that the API server would refuse', async () => {
    const user = await clientOf(own, 'user');
    const { watch, rights } = await openWatch(user, own);
    expect(watch.unseen).toEqual(
      expect.arrayContaining(['members', 'nodes', 'namespaces', 'history', 'pods of other namespaces']),
    );
    await eventually(() => expect(watch.events()).toHaveLength(1));
    const world = watch.world();
    expect(workloadsView(world, watch.makers()).namespaces.map(({ name }) => name)).toEqual([own]);
    expect(federationView(world).members).toEqual([]);
    expect(await rights.overview([own])).toEqual({ actions: [], namespaces: { [own]: [] } });
    await expect(rights.require('forget', 'b')).rejects.toThrow(/may not delete peers/);
  });

  test('reads what the agent remembers, which that writes with its own rights and finds again', async () => {
    const agent = await clientOf('headcut-system', 'headcut');
    const peers = new FakeStore<PeerObject>();
    const live = (): History =>
      new History({
        ...{ client: agent, namespace: 'headcut-system', peers, nodes: new FakeStore<Node>() },
        ...{ pods: new FakeStore<Pod>(), version: '9.9.9', clock: systemClock, logger: silentLogger },
      });
    const first = new AbortController();
    const running = live().run(first.signal);
    const { watch } = await openWatch(admin, 'default');
    await eventually(() => expect(watch.moments()).toMatchObject([{ kind: 'started', text: 'headcut 9.9.9' }]));
    const [map] = (await admin.list<KubeObject>(CONFIG_MAPS, { namespace: 'headcut-system' })).items.filter(
      ({ metadata }) => metadata.name === 'headcut-history',
    );
    expect(map?.metadata.labels).toMatchObject({ 'app.kubernetes.io/managed-by': 'headcut' });
    first.abort();
    await running;
    const next = live();
    void next.run(stop.signal);
    const peer = { metadata: { name: 'b', uid: 'b' }, spec: { id: 'b' } } as unknown as PeerObject;
    peers.set(peer);
    await eventually(() => expect(watch.moments()?.map(({ kind }) => kind)).toContain('joined'));
    expect(watch.moments()?.[0]?.kind).toBe('started');
  });
});
