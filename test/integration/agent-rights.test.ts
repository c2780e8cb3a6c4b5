import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { approveNodeRequests } from '../../src/agent/node-approval/node-approver.ts';
import { createSigningRequests } from '../../src/agent/node-approval/signing-requests.ts';
import type { KubeObject, Node, Pod } from '../../src/core/kube-objects.ts';
import { toTwinNamespace, twinNamespaceName } from '../../src/core/shadow-pod/twin-namespace.ts';
import type { SigningRequest } from '../../src/core/virtual-node/judge-request.ts';
import { nodeLabels, nodeTaints } from '../../src/core/virtual-node/plan-node.ts';
import { ignoreGone } from '../../src/kube/api-error.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  ENDPOINT_SLICES,
  FEDERATIONS,
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  type ResourceType,
  ROLE_BINDINGS,
  SECRETS,
  SERVICES,
} from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createSigningRequest } from '../../src/runtime/x509.ts';
import { adminClient, applyManifests } from './cluster.ts';

const HOST_IP = '192.0.2.10';
const admin = adminClient();
const clients: KubeClient[] = [admin];
const approver = new AbortController();
afterAll(async () => {
  approver.abort();
  // There is one of each in a cluster: other files make theirs.
  await admin.delete(FEDERATIONS, { name: 'headcut' }).catch(ignoreGone);
  await admin.delete(NODES, { name: 'real' }).catch(ignoreGone);
  await Promise.all(clients.map((client) => client.close()));
});

/** A client with nothing but the token of one of headcut's ServiceAccounts. */
async function clientOf(serviceAccount: string): Promise<KubeClient> {
  const path = `/api/v1/namespaces/headcut-system/serviceaccounts/${serviceAccount}/token`;
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const { status } = (await admin.request('POST', path, { body })) as { status: { token: string } };
  const { server, ca } = admin.connection;
  const client = createKubeClient({ server, ca, token: status.token });
  clients.push(client);
  return client;
}

function twinOf(namespace: string, level: string): KubeObject {
  const origin = { cluster: 'peer-id', namespace };
  return toTwinNamespace({ name: twinNamespaceName(origin), origin }, level);
}

const TWIN = twinOf('demo', 'baseline');
const twin = TWIN.metadata.name;
const inTwin = (object: object, name: string): KubeObject =>
  ({ ...object, metadata: { name, namespace: twin } }) as unknown as KubeObject;

function virtualNode(name: string): Node {
  const labels = nodeLabels({ peerId: 'peer-id', peerName: name.replace('headcut-', ''), offer: undefined });
  return { metadata: { name, labels }, spec: { taints: nodeTaints([], 'Connected') } };
}

const guest = (spec: object, container: object = {}): KubeObject =>
  inTwin(
    {
      spec: {
        containers: [{ name: 'c', image: 'x', ...container }],
        serviceAccountName: 'default',
        automountServiceAccountToken: false,
        ...spec,
      },
    },
    'guest',
  );

const binding = (namespace: string, role: string, subject: { name: string; namespace?: string }): KubeObject =>
  ({
    metadata: { name: 'x', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', namespace: 'headcut-system', ...subject }],
  }) as unknown as KubeObject;

function volumeOf(source: object, name = 'v'): KubeObject {
  const spec = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], ...source };
  return { metadata: { name }, spec } as unknown as KubeObject;
}

function claimIn(namespace: string, storageClassName: string, name = 'c'): KubeObject {
  const resources = { requests: { storage: '1Gi' } };
  const spec = { storageClassName, accessModes: ['ReadWriteOnce'], resources };
  return { metadata: { name, namespace }, spec } as unknown as KubeObject;
}

let agent: KubeClient;
let guard: KubeClient;
beforeAll(async () => {
  applyManifests();
  [agent, guard] = await Promise.all([clientOf('headcut'), clientOf('headcut-fence')]);
  // A policy takes effect a moment after it was made; those are made in one go, and the last one is about Secrets.
  for (let tries = 0; tries < 100; tries += 1) {
    const token = tokenSecret('headcut-system', 'headcut');
    if ((await agent.create(SECRETS, token, { dryRun: true }).catch(() => undefined)) === undefined) break;
    await systemClock.sleep(100);
  }
  await admin.create(NODES, { metadata: { name: 'real' } });
  await admin.create(NAMESPACES, { metadata: { name: 'foreign' } });
  await agent.create(NAMESPACES, TWIN);
  await agent.create(FEDERATIONS, { metadata: { name: 'headcut' }, spec: {} } as unknown as KubeObject);
  await agent.create(ROLE_BINDINGS, {
    ...binding(twin, 'headcut-twin', { name: 'headcut' }),
    metadata: { name: 'headcut-twin', namespace: twin },
  });
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await agent.list(PODS, { namespace: twin }).catch(() => undefined)) !== undefined) break;
    await systemClock.sleep(50);
  }
}, 120_000);

function tokenSecret(namespace: string, account: string): KubeObject {
  return {
    metadata: { name: 'minted', namespace, annotations: { 'kubernetes.io/service-account.name': account } },
    type: 'kubernetes.io/service-account-token',
  } as unknown as KubeObject;
}

const EXTERNAL = { type: 'ExternalName', externalName: 'evil.example' };
const sharedService = (name: string, spec: object = {}): KubeObject => ({
  metadata: { name, namespace: 'foreign', labels: { 'headcut.dev/import': 'web' } },
  spec: { ports: [{ port: 80 }], ...spec },
});
const sharedSlice = (service: string, manager = 'headcut.dev', name = `${service}-1`): KubeObject => ({
  metadata: {
    name,
    namespace: 'foreign',
    labels: {
      'kubernetes.io/service-name': service,
      'endpointslice.kubernetes.io/managed-by': manager,
      'multicluster.kubernetes.io/source-cluster': 'b',
    },
  },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['100.64.1.1'] }],
  ports: [{ port: 80 }],
});

describe('from the token of the agent alone', () => {
  const refused: [string, ResourceType, () => KubeObject][] = [
    ['a node of another name', NODES, () => virtualNode('other')],
    ['a node without the label of a virtual one', NODES, () => ({ metadata: { name: 'headcut-x' } })],
    ['an open node, where pods of others would be scheduled', NODES, () => ({ ...virtualNode('headcut-x'), spec: {} })],
    ['a namespace that is no twin', NAMESPACES, () => ({ metadata: { name: 'evil' } })],
    ['a privileged twin namespace', NAMESPACES, () => twinOf('other', 'privileged')],
    [
      'a twin namespace of no level',
      NAMESPACES,
      () => ({ metadata: { name: 'evil', labels: { 'headcut.dev/origin-cluster': 'x' } } }),
    ],
    ['its role in a namespace of others', ROLE_BINDINGS, () => binding('foreign', 'headcut-twin', { name: 'headcut' })],
    [
      'its role in its own namespace',
      ROLE_BINDINGS,
      () => binding('headcut-system', 'headcut-twin', { name: 'headcut' }),
    ],
    ['its role for somebody else', ROLE_BINDINGS, () => binding(twin, 'headcut-twin', { name: 'other' })],
    ["the guard's role for itself", ROLE_BINDINGS, () => binding(twin, 'headcut-twin-fence', { name: 'headcut' })],
    ['another role', ROLE_BINDINGS, () => binding(twin, 'cluster-admin', { name: 'headcut' })],
    ["the approver's role", ROLE_BINDINGS, () => binding(twin, 'headcut-approver', { name: 'headcut' })],
    ['a pod with the files of the node', PODS, () => guest({ volumes: [{ name: 'h', hostPath: { path: '/' } }] })],
    [
      'a pod with a volume that the kubelet mounts',
      PODS,
      () => guest({ volumes: [{ name: 'h', nfs: { server: '192.0.2.9', path: '/' } }] }),
    ],
    ['a privileged pod', PODS, () => guest({}, { securityContext: { privileged: true } })],
    [
      'a privileged init container',
      PODS,
      () => guest({ initContainers: [{ name: 'i', image: 'x', securityContext: { privileged: true } }] }),
    ],
    ['a pod in the network of the node', PODS, () => guest({ hostNetwork: true })],
    ['a pod that sees the processes of the node', PODS, () => guest({ hostPID: true })],
    ['a pod with the IPC of the node', PODS, () => guest({ hostIPC: true })],
    ['a pod with a port of the node', PODS, () => guest({}, { ports: [{ containerPort: 1, hostPort: 1 }] })],
    ['a pod with another ServiceAccount', PODS, () => guest({ serviceAccountName: 'admin' })],
    ['a pod with the token of its ServiceAccount', PODS, () => guest({ automountServiceAccountToken: true })],
    [
      'a pod with a token that it names itself',
      PODS,
      () => guest({ volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }] }),
    ],
    ['a pod elsewhere', PODS, () => ({ ...guest({}), metadata: { name: 'guest', namespace: 'foreign' } })],
    [
      'a pod with a claim that is no volume of a member',
      PODS,
      () => guest({ volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'others' } }] }),
    ],
    ['a volume of the node', PERSISTENT_VOLUMES, () => volumeOf({ hostPath: { path: '/' } })],
    [
      'a volume of another driver',
      PERSISTENT_VOLUMES,
      () => volumeOf({ csi: { driver: 'x.csi.example', volumeHandle: 'v' } }),
    ],
    ['a claim elsewhere', PERSISTENT_VOLUME_CLAIMS, () => claimIn('foreign', 'headcut')],
    ['a token of its own', SECRETS, () => tokenSecret('headcut-system', 'headcut')],
    ['a token of the approver', SECRETS, () => tokenSecret('headcut-system', 'headcut-approver')],
    ['a token of a ServiceAccount in a twin', SECRETS, () => tokenSecret(twin, 'default')],
    [
      'a port of the node for a Service',
      SERVICES,
      () => inTwin({ spec: { type: 'NodePort', ports: [{ port: 80 }] } }, 's'),
    ],
    [
      'an address of others for a Service',
      SERVICES,
      () => inTwin({ spec: { externalIPs: ['192.0.2.1'], ports: [{ port: 80 }] } }, 's'),
    ],
    ['a Service of a user’s name', SERVICES, () => sharedService('web')],
    ['a Service of an import with a selector', SERVICES, () => sharedService('imported-web', { selector: { a: 'b' } })],
    ['a Service of an import that names another host', SERVICES, () => sharedService('imported-web', EXTERNAL)],
    ['endpoints of a user’s Service', ENDPOINT_SLICES, () => sharedSlice('web')],
    [
      'endpoints that others keep',
      ENDPOINT_SLICES,
      () => sharedSlice('imported-web', 'endpointslice-controller.k8s.io'),
    ],
    [
      'a Federation that lets in privileged pods',
      FEDERATIONS,
      () => ({ metadata: { name: 'headcut' }, spec: { podSecurityLevel: 'privileged' } }) as unknown as KubeObject,
    ],
  ];
  test.each(refused)('the API server refuses %s', async (_what, type, object) => {
    await expect(agent.create(type, object(), { dryRun: true })).rejects.toMatchObject({ reason: 'Forbidden' });
  });

  test.each([
    ['label the real node', NODES, 'real', { metadata: { labels: { 'headcut.dev/peer': 'x' } } }],
    ['taint it', NODES, 'real', { spec: { taints: [{ key: 'x', effect: 'NoExecute' }] } }],
    ['close it', NODES, 'real', { spec: { unschedulable: true } }],
    [
      'take a namespace of others over',
      NAMESPACES,
      'foreign',
      { metadata: { labels: { 'headcut.dev/origin-cluster': 'x' } } },
    ],
    [
      'loosen the pod security of a twin namespace',
      NAMESPACES,
      twin,
      { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } },
    ],
    ['take it away', NAMESPACES, twin, { metadata: { labels: { 'pod-security.kubernetes.io/enforce': null } } }],
    ['disown a twin namespace', NAMESPACES, twin, { metadata: { labels: { 'headcut.dev/origin-cluster': null } } }],
  ] as const)('there is no way to %s', async (_how, type, name, patch) => {
    await expect(agent.patch(type, { name }, patch)).rejects.toMatchObject({ reason: 'Forbidden' });
  });

  test.each([
    ['the real node', NODES, 'real'],
    ['a namespace of others', NAMESPACES, 'foreign'],
    ['its own namespace', NAMESPACES, 'headcut-system'],
  ] as const)('there is no way to delete %s', async (_what, type, name) => {
    await expect(agent.delete(type, { name })).rejects.toMatchObject({ reason: 'Forbidden' });
  });

  test('there is no way to change or delete Services and endpoints of users', async () => {
    const meta = { namespace: 'foreign', name: 'imported-mine' };
    await admin.create(SERVICES, { metadata: meta, spec: { ports: [{ port: 80 }] } } as KubeObject);
    const labels = { 'kubernetes.io/service-name': 'imported-mine' };
    const slice = { metadata: { ...meta, labels }, addressType: 'IPv4', endpoints: [], ports: [] } as KubeObject;
    await admin.create(ENDPOINT_SLICES, slice);
    const claim = { metadata: { labels: { 'headcut.dev/import': 'x' } } };
    await expect(agent.patch(SERVICES, meta, claim)).rejects.toMatchObject({ reason: 'Forbidden' });
    for (const type of [SERVICES, ENDPOINT_SLICES])
      await expect(agent.delete(type, meta)).rejects.toMatchObject({ reason: 'Forbidden' });
    await expect(
      agent.replace(ENDPOINT_SLICES, sharedSlice('imported-mine', 'headcut.dev', meta.name)),
    ).rejects.toThrow('EndpointSlices of imports only');
  });

  test('there are the Services and endpoints of imports', async () => {
    await agent.create(SERVICES, sharedService('imported-web'));
    await agent.create(ENDPOINT_SLICES, sharedSlice('imported-web'));
    await agent.patch(
      SERVICES,
      { namespace: 'foreign', name: 'imported-web' },
      { spec: { sessionAffinity: 'ClientIP' } },
    );
    await agent.delete(ENDPOINT_SLICES, { namespace: 'foreign', name: 'imported-web-1' });
    await agent.delete(SERVICES, { namespace: 'foreign', name: 'imported-web' });
  });

  test('there is what the agent does every day', async () => {
    const node = await agent.create(NODES, virtualNode('headcut-daily'));
    await agent.patch(NODES, { name: node.metadata.name }, { metadata: { labels: { 'kubernetes.io/arch': 'amd64' } } });
    await expect(agent.patch(NODES, { name: node.metadata.name }, { spec: { taints: null } })).rejects.toMatchObject({
      reason: 'Forbidden',
    });
    const pod = await agent.create<Pod>(PODS, guest({}) as Pod);
    await agent.patch(PODS, { namespace: twin, name: 'guest' }, { metadata: { labels: { x: 'y' } } });
    await expect(
      agent.patch(
        PODS,
        { namespace: twin, name: 'guest', subresource: 'ephemeralcontainers' },
        debuggerOf(true),
        'strategic',
      ),
    ).rejects.toMatchObject({ reason: 'Forbidden' });
    await agent.patch(
      PODS,
      { namespace: twin, name: 'guest', subresource: 'ephemeralcontainers' },
      debuggerOf(false),
      'strategic',
    );
    await agent.create(SERVICES, inTwin({ spec: { type: 'ClusterIP', ports: [{ port: 80 }] } }, 's'));
    await agent.patch(FEDERATIONS, { name: 'headcut' }, { metadata: { annotations: { x: 'y' } } });
    await expect(
      agent.patch(FEDERATIONS, { name: 'headcut' }, { spec: { podSecurityLevel: 'privileged' } }),
    ).rejects.toMatchObject({ reason: 'Forbidden' });
    await agent.create(ROLE_BINDINGS, binding(twin, 'headcut-twin-fence', { name: 'headcut-fence' }));
    await agent.delete(NODES, { name: node.metadata.name });
    // Deletes at once: there is no kubelet.
    await retried(() =>
      guard.delete(PODS, { namespace: twin, name: 'guest' }, { uid: pod.metadata.uid ?? '', gracePeriodSeconds: 0 }),
    );
  });

  test('of volumes and claims it changes no more than that it looks after them', async () => {
    const others = await admin.create(PERSISTENT_VOLUMES, volumeOf({ hostPath: { path: '/srv' } }, 'others'));
    const hand = { spec: { claimRef: { namespace: 'foreign', name: 'data' } } };
    await expect(agent.patch(PERSISTENT_VOLUMES, { name: others.metadata.name }, hand)).rejects.toMatchObject({
      reason: 'Forbidden',
    });
    await expect(agent.delete(PERSISTENT_VOLUMES, { name: others.metadata.name })).rejects.toMatchObject({
      reason: 'Forbidden',
    });
    await admin.create(PERSISTENT_VOLUME_CLAIMS, claimIn('foreign', 'local', 'local'));
    await admin.create(PERSISTENT_VOLUME_CLAIMS, claimIn('foreign', 'headcut', 'ours'));
    const held = {
      metadata: { finalizers: ['headcut.dev/volume'], annotations: { 'headcut.dev/volume-place': 'home' } },
    };
    const patch = (name: string, change: object) =>
      agent.patch(PERSISTENT_VOLUME_CLAIMS, { namespace: 'foreign', name }, change);
    await expect(patch('local', held)).rejects.toMatchObject({ reason: 'Forbidden' });
    await expect(patch('ours', { spec: { volumeName: 'others' } })).rejects.toMatchObject({ reason: 'Forbidden' });
    await patch('ours', held);
    await agent.create(
      PERSISTENT_VOLUMES,
      volumeOf({ csi: { driver: 'volumes.headcut.dev', volumeHandle: 'p/u' } }, 'there'),
    );
    await agent.delete(PERSISTENT_VOLUMES, { name: 'there' });
    await agent.create(PERSISTENT_VOLUME_CLAIMS, claimIn('headcut-system', 'local', 'companion'));
    await agent.delete(PERSISTENT_VOLUME_CLAIMS, { namespace: 'headcut-system', name: 'companion' });
  });

  test('privileged guests are what an administrator asked for', async () => {
    await admin.patch(FEDERATIONS, { name: 'headcut' }, { spec: { podSecurityLevel: 'privileged' } });
    const namespace = twinOf('other', 'privileged');
    await retried(() => agent.create(NAMESPACES, namespace, { dryRun: true }));
    await admin.patch(FEDERATIONS, { name: 'headcut' }, { spec: { podSecurityLevel: 'baseline' } });
  });
});

test('the guard of fenced pods deletes nothing elsewhere, and reads nothing', async () => {
  await admin.create(PODS, {
    metadata: { name: 'p', namespace: 'foreign' },
    spec: { containers: [{ name: 'c', image: 'x' }] },
  } as unknown as KubeObject);
  await expect(guard.delete(PODS, { namespace: 'foreign', name: 'p' })).rejects.toMatchObject({ reason: 'Forbidden' });
  for (const type of [PODS, SECRETS]) {
    await expect(guard.list(type, { namespace: twin })).rejects.toMatchObject({ reason: 'Forbidden' });
    await expect(guard.list(type, { namespace: 'headcut-system' })).rejects.toMatchObject({ reason: 'Forbidden' });
  }
});

test('a machine whose name is one of virtual nodes does not become a node', () => {
  const kubectl = join(process.env.HEADCUT_TOOLS ?? '', 'kubectl');
  const { server, token } = inject('apiServer');
  const register = (name: string): string => {
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name } };
    const who = [`--as=system:node:${name}`, '--as-group=system:nodes', '--as-group=system:authenticated'];
    const flags = ['--server', server, '--token', token, '--insecure-skip-tls-verify', ...who];
    const options = {
      input: JSON.stringify(node),
      encoding: 'utf8' as const,
      env: { ...process.env, KUBECONFIG: '/dev/null' },
    };
    return execFileSync(kubectl, ['create', '--dry-run=server', '-f', '-', ...flags], { ...options, stdio: 'pipe' });
  };
  expect(register('machine')).toContain('machine created');
  expect(() => register('headcut-machine')).toThrow('--hostname-override');
});

describe('certificates', () => {
  beforeAll(async () => {
    const { connection } = await clientOf('headcut-approver');
    const deps = {
      agent: 'system:serviceaccount:headcut-system:headcut',
      hostIp: HOST_IP,
      random: () => 0.5,
      clock: systemClock,
    };
    void approveNodeRequests(
      { ...deps, requests: createSigningRequests(connection), logger: silentLogger },
      approver.signal,
    );
  });

  const conditionsOf = async (client: KubeClient, spec: object): Promise<string[]> => {
    const request = { metadata: { generateName: 'r-' }, spec } as unknown as SigningRequest;
    const { metadata } = await client.create(CERTIFICATE_SIGNING_REQUESTS, request);
    for (let tries = 0; tries < 30; tries += 1) {
      const { status } = await admin.get<SigningRequest>(CERTIFICATE_SIGNING_REQUESTS, { name: metadata.name });
      if (status?.conditions !== undefined) return status.conditions.map(({ type }) => type);
      await systemClock.sleep(100);
    }
    return [];
  };
  const specOf = async (name: string, signer = 'kube-apiserver-client-kubelet', ip: string[] = []) => {
    const { request } = await createSigningRequest({ commonName: name, organization: 'system:nodes' }, ip);
    const usages = ['digital signature', signer === 'kubelet-serving' ? 'server auth' : 'client auth'];
    return { request: Buffer.from(request).toString('base64'), signerName: `kubernetes.io/${signer}`, usages };
  };

  test('of virtual nodes are approved for the agent, without a right of its own to approve', async () => {
    expect(await conditionsOf(agent, await specOf('system:node:headcut-b'))).toEqual(['Approved']);
    const review = (resource: object) => ({
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { group: 'certificates.k8s.io', ...resource } },
      },
    });
    for (const resource of [
      { resource: 'certificatesigningrequests', subresource: 'nodeclient', verb: 'create' },
      { resource: 'certificatesigningrequests', subresource: 'approval', verb: 'update' },
      { resource: 'signers', name: 'kubernetes.io/kube-apiserver-client-kubelet', verb: 'approve' },
      { resource: 'signers', name: 'kubernetes.io/kubelet-serving', verb: 'approve' },
    ])
      expect(
        await agent.request('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', review(resource)),
      ).toMatchObject({ status: { allowed: false } });
  });

  test('are approved by nobody else, also where a right of an earlier version is left', async () => {
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
    const subjects = [{ kind: 'ServiceAccount', name: 'headcut-fence', namespace: 'headcut-system' }];
    const path = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
    await admin.request('POST', path, { body: { metadata: { name: 'left' }, roleRef, subjects } });
    const spec = await specOf('system:node:real');
    const request = { metadata: { name: 'left' }, spec } as unknown as SigningRequest;
    const made = await admin.create(CERTIFICATE_SIGNING_REQUESTS, request);
    const conditions = [{ type: 'Approved', status: 'True', reason: 'x', message: 'x' }];
    await retried(() => guard.list(SECRETS, { namespace: 'kube-system' }));
    await expect(
      guard.replace(CERTIFICATE_SIGNING_REQUESTS, { ...made, status: { conditions } } as SigningRequest, 'approval'),
    ).rejects.toThrow('headcut-approver does');
    await admin.request('DELETE', `${path}/left`);
  });

  test('of the real node are refused', async () => {
    expect(await conditionsOf(agent, await specOf('system:node:real'))).toEqual(['Denied']);
  });

  test('of a real node whose name is like that of a virtual one are refused', async () => {
    await admin.create(NODES, { metadata: { name: 'headcut-pi' } });
    expect(await conditionsOf(agent, await specOf('system:node:headcut-pi'))).toEqual(['Denied']);
  });

  test('that others ask for are left to others', async () => {
    expect(await conditionsOf(admin, await specOf('system:node:headcut-b'))).toEqual([]);
    expect(await conditionsOf(agent, await specOf('system:node:headcut-b', 'kubelet-serving', [HOST_IP]))).toEqual([]);
  });
});

/** RBAC and policies see what was written a moment later. */
async function retried<T>(action: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1)
    try {
      return await action();
    } catch (error) {
      if (tries === 60) throw error;
      await systemClock.sleep(100);
    }
}

function debuggerOf(privileged: boolean): object {
  return { spec: { ephemeralContainers: [{ name: 'd', image: 'x', securityContext: { privileged } }] } };
}
