import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AdmissionWebhook } from '../../src/agent/admission/admission-webhook.ts';
import type { KubeObject, Pod } from '../../src/core/kube-objects.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { Discovery } from '../../src/kube/discovery.ts';
import {
  CONFIG_MAPS,
  DAEMON_SETS,
  MUTATING_WEBHOOK_CONFIGURATIONS,
  NAMESPACES,
  OFFLOADINGS,
  PODS,
} from '../../src/kube/resources.ts';
import { installObjects } from '../../src/ops/install-objects.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { LEAVING, STAYING } from '../core/admission/portable-pods.ts';
import { type ApiServer, freePort, startApiServer } from './api-server.ts';
import { adminClient, applyManifests } from './cluster.ts';

/**
 * What an API server of 1.35, which serves no MutatingAdmissionPolicy by default, makes of an object with the agent's
 * webhook, against what one of today makes of it with the policies.
 */
const withPolicies = adminClient();
let older: ApiServer;
let withWebhook: KubeClient;
let port = 0;
const stop = new AbortController();
let running: Promise<void> | undefined;
const LABELLED = 'webhook-labelled';
const PLAIN = 'webhook-plain';
const LABELLED_LOCAL_ONLY = 'webhook-labelled-local-only';
const BY_OBJECT = 'webhook-by-object';
const LOCAL_ONLY = 'webhook-local-only';
const TWIN = 'webhook-twin';

beforeAll(async () => {
  older = await startApiServer(['--emulated-version=1.35']);
  const { server, ca, token } = older;
  withWebhook = createKubeClient({ server, ca, token });
  const discovery = new Discovery(withWebhook);
  for (const object of installObjects({ webhook: true })) {
    const type = await discovery.typeOf(object);
    if (type === undefined) throw new Error(`${object.kind} is not served`);
    await withWebhook.apply(type, object, { force: true });
  }
  applyManifests();
  for (const client of [withWebhook, withPolicies]) await prepareNamespaces(client);
  port = await freePort();
  running = startWebhook(withWebhook).run(stop.signal);
  for (const client of [withWebhook, withPolicies])
    for (const namespace of [LABELLED, BY_OBJECT]) await untilOffloaded(client, namespace);
  for (const client of [withWebhook, withPolicies])
    for (const namespace of [PLAIN, LABELLED_LOCAL_ONLY]) await untilPinned(client, namespace);
});

afterAll(async () => {
  stop.abort();
  await running;
  await withWebhook?.close();
  await withPolicies.close();
  await older?.stop();
});

const startWebhook = (client: KubeClient): AdmissionWebhook =>
  new AdmissionWebhook({ client, host: '127.0.0.1', port, clock: systemClock, logger: createLogger('silent') });

async function prepareNamespaces(client: KubeClient): Promise<void> {
  const labels = { 'headcut.dev/offload': 'true' };
  await client.create(NAMESPACES, { metadata: { name: LABELLED, labels } });
  await client.create(NAMESPACES, {
    metadata: { name: TWIN, labels: { ...labels, 'headcut.dev/origin-cluster': 'x' } },
  });
  await client.create(NAMESPACES, { metadata: { name: LABELLED_LOCAL_ONLY, labels } });
  for (const name of [PLAIN, BY_OBJECT, LOCAL_ONLY]) await client.create(NAMESPACES, { metadata: { name } });
  await client.create(OFFLOADINGS, { metadata: { name: 'offloading', namespace: BY_OBJECT }, spec: {} });
  const spec = { strategy: 'LocalOnly' };
  for (const namespace of [LOCAL_ONLY, LABELLED_LOCAL_ONLY])
    await client.create(OFFLOADINGS, { metadata: { name: 'offloading', namespace }, spec });
  const said = { [BY_OBJECT]: 'offloaded', [LOCAL_ONLY]: 'home', [LABELLED_LOCAL_ONLY]: 'home' };
  // As the agent keeps it.
  const data = Object.fromEntries(Object.entries(said).map(([name, what]) => [`namespace.${name}`, what]));
  const map = { metadata: { name: 'headcut-offloading', namespace: 'headcut-system' }, data };
  await client.apply(CONFIG_MAPS, map as KubeObject, { force: true });
}

/** Policies, webhooks and what they need take effect a moment later. */
async function untilOffloaded(client: KubeClient, namespace: string): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const { tolerations = [] } = (await makePod(client, podOf(namespace))).spec;
    if (tolerations.some(({ key }) => key === 'headcut.dev/virtual-node')) return;
    await systemClock.sleep(200);
  }
  throw new Error(`pods of ${namespace} are not offloaded`);
}

async function untilPinned(client: KubeClient, namespace: string): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const { affinity } = (await makePod(client, podOf(namespace, tolerating()))).spec;
    if (affinity !== undefined) return;
    await systemClock.sleep(200);
  }
  throw new Error(`pods of ${namespace} are not kept at home`);
}

const tolerating = (toleration: object = {}) => ({ tolerations: [{ operator: 'Exists', ...toleration }] });

function podOf(namespace: string, spec: object = {}, metadata: object = {}): Pod {
  const labels = { app: 'web', 'apps.kubernetes.io/pod-index': '3' };
  return {
    metadata: { name: 'p', namespace, labels, ...metadata },
    spec: { serviceAccountName: 'default', containers: [{ name: 'c', image: 'x' }], ...spec },
  };
}

const makePod = (client: KubeClient, pod: Pod): Promise<Pod> => client.create(PODS, pod, { dryRun: true });

const security = (securityContext: object) => ({ containers: [{ name: 'c', image: 'x', securityContext }] });
const volumes = (...sources: object[]) => ({
  volumes: sources.map((source, index) => ({ name: `v${index}`, ...source })),
});
const daemonSetOwner = [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'u', controller: true }];
const ownConstraint = {
  maxSkew: 3,
  topologyKey: 'zone',
  whenUnsatisfiable: 'DoNotSchedule',
  labelSelector: { matchLabels: { app: 'web' } },
};

test.each<[string, Pod]>([
  ['a plain one', podOf(LABELLED)],
  ['one of a namespace with an Offloading', podOf(BY_OBJECT)],
  ['one of a namespace that is LocalOnly', podOf(LOCAL_ONLY)],
  ['one of another namespace', podOf(PLAIN)],
  ['one of a twin namespace', podOf(TWIN)],
  ['one without labels', podOf(LABELLED, {}, { labels: {} })],
  ['one with a constraint of its own', podOf(LABELLED, { topologySpreadConstraints: [ownConstraint] })],
  [
    'one that tolerates virtual nodes already',
    podOf(LABELLED, { tolerations: [{ key: 'headcut.dev/virtual-node', operator: 'Exists' }] }),
  ],
  ['one with a toleration of its own', podOf(LABELLED, { tolerations: [{ key: 'disk', operator: 'Exists' }] })],
  ['one of a DaemonSet', podOf(LABELLED, {}, { ownerReferences: daemonSetOwner })],
  ['one with a node chosen by hand', podOf(LABELLED, { nodeName: 'a' })],
  ['one on the host network', podOf(LABELLED, { hostNetwork: true })],
  ['one with the host PIDs', podOf(LABELLED, { hostPID: true })],
  ['one with the host IPC', podOf(LABELLED, { hostIPC: true })],
  [
    'one with portable volumes',
    podOf(
      LABELLED,
      volumes(
        { configMap: { name: 'x' } },
        { secret: { secretName: 'x' } },
        { emptyDir: {} },
        { downwardAPI: { items: [] } },
        { projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
      ),
    ),
  ],
  ['one with a projected volume of nothing', podOf(LABELLED, volumes({ projected: {} }))],
  ['one with a hostPath', podOf(LABELLED, volumes({ hostPath: { path: '/' } }))],
  ['one with a claim', podOf(LABELLED, volumes({ persistentVolumeClaim: { claimName: 'c' } }))],
  [
    'one with a projected volume of another kind',
    podOf(LABELLED, volumes({ projected: { sources: [{ clusterTrustBundle: { name: 'b', path: 'p' } }] } })),
  ],
  ['a privileged one', podOf(LABELLED, security({ privileged: true }))],
  ['one that says it is not privileged', podOf(LABELLED, security({ privileged: false }))],
  ['one without a seccomp profile', podOf(LABELLED, security({ seccompProfile: { type: 'Unconfined' } }))],
  ['one with the default seccomp profile', podOf(LABELLED, security({ seccompProfile: { type: 'RuntimeDefault' } }))],
  ['one without AppArmor', podOf(LABELLED, security({ appArmorProfile: { type: 'Unconfined' } }))],
  ['one with a capability that baseline allows', podOf(LABELLED, security({ capabilities: { add: ['CHOWN'] } }))],
  ['one with another capability', podOf(LABELLED, security({ capabilities: { add: ['NET_ADMIN'] } }))],
  [
    'one with a host port',
    podOf(LABELLED, { containers: [{ name: 'c', image: 'x', ports: [{ containerPort: 1, hostPort: 1 }] }] }),
  ],
  ['one with a port', podOf(LABELLED, { containers: [{ name: 'c', image: 'x', ports: [{ containerPort: 1 }] }] })],
  ...Object.entries(STAYING).map(([what, spec]): [string, Pod] => [`one with ${what}`, podOf(LABELLED, spec)]),
  ...Object.entries(LEAVING).map(([what, spec]): [string, Pod] => [`one with ${what}`, podOf(LABELLED, spec)]),
  [
    'one with an AppArmor profile of the node, as older pods name it',
    podOf(LABELLED, {}, { annotations: { 'container.apparmor.security.beta.kubernetes.io/c': 'localhost/x' } }),
  ],
  [
    'one with a privileged init container',
    podOf(LABELLED, { initContainers: [{ name: 'i', image: 'x', securityContext: { privileged: true } }] }),
  ],
  ...[LABELLED, PLAIN, BY_OBJECT, LOCAL_ONLY, LABELLED_LOCAL_ONLY].map((name): [string, Pod] => [
    `one of ${name} that tolerates everything`,
    podOf(name, tolerating()),
  ]),
  ...[LABELLED, BY_OBJECT, LABELLED_LOCAL_ONLY].map((name): [string, Pod] => [
    `one of ${name} that tolerates everything and cannot travel`,
    podOf(name, { ...tolerating(), ...volumes({ hostPath: { path: '/' } }) }),
  ]),
  ['one that tolerates by effect', podOf(PLAIN, tolerating({ effect: 'NoSchedule' }))],
  ['one that tolerates by another effect', podOf(PLAIN, tolerating({ effect: 'NoExecute' }))],
  ['one that tolerates by key', podOf(PLAIN, tolerating({ key: 'headcut.dev/virtual-node' }))],
  ['one that tolerates by another key', podOf(PLAIN, tolerating({ key: 'disk' }))],
  ['one that tolerates by value', podOf(PLAIN, tolerating({ key: 'headcut.dev/virtual-node', operator: 'Equal' }))],
  [
    'one that tolerates by another value',
    podOf(PLAIN, tolerating({ key: 'headcut.dev/virtual-node', operator: 'Equal', value: 'x' })),
  ],
  [
    'one that asks for a peer',
    podOf(PLAIN, { ...tolerating(), nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } }),
  ],
  [
    'one that asks for another node',
    podOf(PLAIN, { ...tolerating(), nodeSelector: { 'kubernetes.io/hostname': 'b' } }),
  ],
  [
    'one that tolerates everything, with an affinity',
    podOf(PLAIN, {
      ...tolerating(),
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'disk', operator: 'Exists' }] },
              { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] },
              {},
            ],
          },
        },
      },
    }),
  ],
  ['one that tolerates everything, of a DaemonSet', podOf(PLAIN, tolerating(), { ownerReferences: daemonSetOwner })],
  [
    'one of a DaemonSet that asks for virtual nodes',
    podOf(LABELLED, tolerating(), { ownerReferences: daemonSetOwner }),
  ],
])('a pod is changed by the webhook as by the policy: %s', async (_name, pod) => {
  const [webhook, policy] = await Promise.all([makePod(withWebhook, pod), makePod(withPolicies, pod)]);
  expect(webhook.spec).toEqual(policy.spec);
});

describe('a DaemonSet is changed by the webhook as by the policy', () => {
  const exclusion = { key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] };
  const other = { key: 'disk', operator: 'Exists' };
  const required = (...nodeSelectorTerms: object[]) => ({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  });

  test.each<[string, object, Record<string, string>]>([
    ['without affinity', {}, {}],
    ['with an empty affinity', { affinity: {} }, {}],
    ['with an empty node affinity', { affinity: { nodeAffinity: {} } }, {}],
    [
      'with terms of its own',
      required(
        { matchExpressions: [other] },
        { matchFields: [{ ...other, key: 'metadata.name', operator: 'In', values: ['a'] }] },
      ),
      {},
    ],
    ['excluded already', required({ matchExpressions: [exclusion] }), {}],
    ['excluded in one of two terms', required({ matchExpressions: [exclusion] }, { matchExpressions: [other] }), {}],
    ['that asks for virtual nodes', {}, { 'headcut.dev/allow-virtual-nodes': 'true' }],
  ])('%s', async (_name, spec, annotations) => {
    const labels = { app: 'd' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'x' }], ...spec } };
    const daemonSet: KubeObject = {
      metadata: { name: 'd', namespace: PLAIN, annotations },
      spec: { selector: { matchLabels: labels }, template },
    };
    const make = async (client: KubeClient): Promise<unknown> =>
      (await client.create(DAEMON_SETS, daemonSet, { dryRun: true })).spec;
    expect(await make(withWebhook)).toEqual(await make(withPolicies));
  });
});

describe('the configuration of the webhook', () => {
  const name = 'headcut-offload';
  type Configuration = KubeObject & { webhooks?: { failurePolicy: string; timeoutSeconds: number }[] };
  const read = (client: KubeClient): Promise<Configuration> => client.get(MUTATING_WEBHOOK_CONFIGURATIONS, { name });

  test('holds up nobody when the agent is away', async () => {
    const { webhooks = [] } = await read(withWebhook);
    expect(webhooks).toHaveLength(3);
    for (const webhook of webhooks) expect(webhook).toMatchObject({ failurePolicy: 'Ignore', timeoutSeconds: 2 });
  });

  test('is taken back where the API server serves policies', async () => {
    const object = installObjects({ webhook: true }).find(({ kind }) => kind === 'MutatingWebhookConfiguration');
    await withPolicies.apply(MUTATING_WEBHOOK_CONFIGURATIONS, object as KubeObject);
    // Matches nothing, should this test end half-way.
    const left = {
      ...(await read(withWebhook)).webhooks?.[0],
      rules: [],
      clientConfig: { url: 'https://127.0.0.1:1/x' },
    };
    await withPolicies.patch(MUTATING_WEBHOOK_CONFIGURATIONS, { name }, { webhooks: [left] });
    const end = new AbortController();
    const agent = startWebhook(withPolicies).run(end.signal);
    for (let tries = 0; tries < 100 && ((await read(withPolicies)).webhooks ?? []).length > 0; tries += 1)
      await systemClock.sleep(100);
    end.abort();
    await agent;
    expect((await read(withPolicies)).webhooks ?? []).toEqual([]);
    await withPolicies.delete(MUTATING_WEBHOOK_CONFIGURATIONS, { name });
  });
});
