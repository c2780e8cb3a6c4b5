import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { HomeContact, PodLeases } from '../../src/agent/ports.ts';
import { ShadowPods } from '../../src/agent/shadow-pod/shadow-pods.ts';
import { DEFAULT_TERMS } from '../../src/core/guest-pod/guest-terms.ts';
import type { ConfigObject, KubeObject, Pod, PodSpec } from '../../src/core/kube-objects.ts';
import { OBJECT_NAMES_ANNOTATION, ORIGIN_CLUSTER_LABEL } from '../../src/core/labels.ts';
import { DEFAULT_MEMBER_LIMITS, type MemberLimits } from '../../src/core/shadow-pod/member-limits.ts';
import { type ShadowPod, toShadowPod } from '../../src/core/shadow-pod/shadow-pod.ts';
import { formerTwinName, toTwinNamespace, twinNamespaceName } from '../../src/core/shadow-pod/twin-namespace.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { CONFIG_MAPS, NAMESPACES, PODS, SECRETS, SERVICE_ACCOUNTS, SHADOW_PODS } from '../../src/kube/resources.ts';
import { systemClock as clock } from '../../src/runtime/clock.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { adminClient, applyManifests } from './cluster.ts';
import { eventually } from './eventually.ts';

const client = adminClient();
const logger = createLogger('silent');
const stop: (() => Promise<unknown>)[] = [];
beforeAll(() => void applyManifests());
afterEach(async () => {
  for (const end of stop.splice(0)) await end();
});
afterAll(() => client.close());

const HOME = 'a'.repeat(52);
const OTHER = 'b'.repeat(52);

const leases: PodLeases = {
  ensure: () => Promise.resolve(),
  isFenced: () => false,
  mayRun: () => true,
  mayStart: () => true,
  onChange: () => {},
} as unknown as PodLeases;
const homes = { lostForMs: () => undefined, goneForMs: () => undefined, onChange: () => {} } as unknown as HomeContact;

/** A provider whose kubelet and scheduler do nothing. */
async function startProvider(limits: Partial<MemberLimits> = {}) {
  const pods = new Reflector<Pod>({ client, type: PODS, labelSelector: ORIGIN_CLUSTER_LABEL, clock, logger });
  const shadowPods = new Reflector<ShadowPod>({ client, type: SHADOW_PODS, clock, logger });
  const provider = new ShadowPods({
    client,
    pods,
    shadowPods,
    admission: { reserve: () => ({ ok: true }), release: () => {} },
    services: { prepare: () => Promise.resolve() },
    agent: { namespace: 'headcut-system', serviceAccount: 'headcut' },
    podSecurityLevel: () => 'baseline',
    terms: () => DEFAULT_TERMS,
    surroundings: () => ({ nameserver: '10.96.7.7', homeApi: undefined, clusterDomain: 'cluster.local' }),
    limits: () => ({ ...DEFAULT_MEMBER_LIMITS, pods: 200, ...limits }),
    leases,
    // Of each member's claims one was made here.
    volumes: {
      holdsData: () => false,
      twinsOf: () => [],
      refusalOf: (_peerId, _twin, { claims }) =>
        claims.every(({ uid }) => uid === 'claim-1')
          ? undefined
          : { accepted: false, kind: 'policy', reason: 'VolumeMissing', message: 'not here' },
    },
    homes,
    membersKnown: () => Promise.resolve(),
    clock,
    logger,
  });
  const end = new AbortController();
  const running = Promise.all([pods, shadowPods, provider].map((one) => one.run(end.signal)));
  stop.push(() => {
    end.abort();
    return running;
  });
  await Promise.all([pods.whenSynced(), shadowPods.whenSynced()]);
  return { provider, shadowPods };
}

let count = 0;

/** The twin of a namespace of its own, with what controllers would put there. */
async function twinNamespace(cluster = HOME, nameOf = twinNamespaceName) {
  count += 1;
  const namespace = `demo-${process.pid}-${count}`;
  const origin = { cluster, namespace };
  const twin = nameOf(origin);
  await client.create(NAMESPACES, toTwinNamespace({ name: twin, origin }, 'baseline'));
  await client.create(SERVICE_ACCOUNTS, { metadata: { name: 'default', namespace: twin } } as KubeObject);
  return { namespace, twin };
}

const podOf = (namespace: string, uid: string, spec: Partial<PodSpec> = {}): Pod => ({
  metadata: { name: `web-${uid}`, namespace, uid },
  spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
});
const reading = (name: string): Partial<PodSpec> => ({
  containers: [{ name: 'c', image: 'x', envFrom: [{ secretRef: { name, optional: true } }] }],
});
const secret = (name: string, k: string): ConfigObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  data: { k: Buffer.from(k).toString('base64') },
});
const submission = (pod: Pod, objects: ConfigObject[] = []) => ({ pod, virtualNode: 'headcut-b', objects });
const secretAt = async (namespace: string, name: string): Promise<string> => {
  const { data } = await client.get<ConfigObject>(SECRETS, { namespace, name });
  return Buffer.from(data?.k ?? '', 'base64').toString();
};

test("a Secret of the provider's in the twin namespace is neither read by a guest nor in its way", async () => {
  const { provider } = await startProvider();
  const { namespace, twin } = await twinNamespace();
  await client.create(SECRETS, {
    ...secret('regcred', 'of-the-provider'),
    metadata: { name: 'regcred', namespace: twin },
  });
  const [thief, owner] = [podOf(namespace, 'u1', reading('regcred')), podOf(namespace, 'u2', reading('regcred'))];
  expect(await provider.submit(HOME, 'u1', submission(thief))).toEqual({ accepted: true });
  const made = await client.get<Pod>(PODS, { namespace: twin, name: 'web-u1' });
  const { name = '' } = made.spec.containers[0]?.envFrom?.[0]?.secretRef ?? {};
  await expect(client.get(SECRETS, { namespace: twin, name })).rejects.toMatchObject({ status: 404 });
  // Credentials for no registry, so that those of the ServiceAccount are not given.
  const [credentials] = made.spec.imagePullSecrets ?? [];
  expect(await client.get(SECRETS, { namespace: twin, name: credentials?.name ?? '' })).toMatchObject({
    type: 'kubernetes.io/dockerconfigjson',
  });
  expect(await provider.submit(HOME, 'u2', submission(owner, [secret('regcred', 'of-home')]))).toEqual({
    accepted: true,
  });
  expect(await secretAt(twin, name)).toBe('of-home');
  expect(await secretAt(twin, 'regcred')).toBe('of-the-provider');
});

test('an object that no pod of that consumer here references is not taken', async () => {
  const { provider, shadowPods } = await startProvider();
  const { namespace, twin } = await twinNamespace();
  const sent = [secret('mine', '1'), secret('other', '1')];
  await provider.submit(HOME, 'u3', submission(podOf(namespace, 'u3', reading('mine')), sent));
  await eventually(() => expect(shadowPods.get(`${twin}/web-u3`)).toBeDefined());
  await provider.updateObjects(HOME, namespace, [secret('mine', '2'), secret('other', '2')]);
  await provider.updateObjects(OTHER, namespace, [secret('mine', '3')]);
  expect(await secretAt(twin, 'headcut-home.mine')).toBe('2');
  const { items } = await client.list(SECRETS, { namespace: twin });
  expect(items.map(({ metadata }) => metadata.name).sort()).toEqual(['headcut-home.mine', 'headcut-no-credentials']);
});

test('a pod has the claims that were made for it here, and no others', async () => {
  const { provider, shadowPods } = await startProvider();
  const { namespace, twin } = await twinNamespace();
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
  const using = (uid: string, claims?: { name: string; uid: string }[]) =>
    provider.submit(HOME, uid, { ...submission(podOf(namespace, uid, { volumes })), ...(claims ? { claims } : {}) });
  expect(await using('v1')).toMatchObject({ accepted: false, kind: 'policy', reason: 'ClaimStaysHome' });
  expect(await using('v2', [{ name: 'data', uid: 'claim-2' }])).toMatchObject({ reason: 'VolumeMissing' });
  expect(await using('v3', [{ name: 'data', uid: 'claim-1' }])).toEqual({ accepted: true });
  const made = await client.get<Pod>(PODS, { namespace: twin, name: 'web-v3' });
  expect(made.spec.volumes?.[0]).toMatchObject({ persistentVolumeClaim: { claimName: 'volume-claim-1' } });
  expect(shadowPods.get(`${twin}/web-v3`)?.spec.claims).toEqual([{ name: 'data', uid: 'claim-1' }]);
});

test('what a debugger names is taken once the debugger is there', async () => {
  const { provider, shadowPods } = await startProvider();
  const { namespace, twin } = await twinNamespace();
  const pod = podOf(namespace, 'u4');
  await provider.submit(HOME, 'u4', submission(pod));
  await eventually(() => expect(shadowPods.get(`${twin}/web-u4`)).toBeDefined());
  const debug = { name: 'd', image: 'x', envFrom: [{ secretRef: { name: 'late' } }] };
  await eventually(() => provider.update(HOME, 'u4', { ...pod, spec: { ...pod.spec, ephemeralContainers: [debug] } }));
  await provider.updateObjects(HOME, namespace, [secret('late', '1')]);
  const made = await client.get<Pod>(PODS, { namespace: twin, name: 'web-u4' });
  expect(made.spec.ephemeralContainers?.[0]?.envFrom?.[0]?.secretRef?.name).toBe('headcut-home.late');
  expect(await secretAt(twin, 'headcut-home.late')).toBe('1');
});

test('a pod of an earlier version gets what its home changes, by the names that it has, and company in its namespace', async () => {
  const { namespace, twin } = await twinNamespace(HOME, formerTwinName);
  const pod = podOf(namespace, 'u5', {
    volumes: [{ name: 'ca', configMap: { name: 'kube-root-ca.crt' } }],
    ...reading('mine'),
  });
  const shadow = toShadowPod(HOME, submission(pod), twin);
  const { [OBJECT_NAMES_ANNOTATION]: _, ...annotations } = shadow.metadata.annotations ?? {};
  await client.create(SHADOW_PODS, { ...shadow, metadata: { ...shadow.metadata, annotations } });
  const { provider } = await startProvider();
  await eventually(async () => {
    const made = await client.get<Pod>(PODS, { namespace: twin, name: 'web-u5' });
    expect(made.spec.containers[0]?.envFrom?.[0]?.secretRef?.name).toBe('mine');
  });
  const ca: ConfigObject = { kind: 'ConfigMap', metadata: { name: 'kube-root-ca.crt' }, data: { 'ca.crt': 'x' } };
  await provider.updateObjects(HOME, namespace, [secret('mine', '2'), ca]);
  expect(await secretAt(twin, 'mine')).toBe('2');
  expect(await client.get(CONFIG_MAPS, { namespace: twin, name: 'headcut-home-root-ca.crt' })).toMatchObject({
    data: { 'ca.crt': 'x' },
  });
  await provider.submit(HOME, 'u7', submission(podOf(namespace, 'u7')));
  await eventually(() => expect(provider.locate(HOME, 'u7')).toMatchObject({ namespace: twin }));
});

test('a namespace that stands for another one, or that is no twin, takes no pods', async () => {
  const { provider } = await startProvider();
  const { namespace, twin } = await twinNamespace();
  const labels = { metadata: { labels: { [ORIGIN_CLUSTER_LABEL]: OTHER } } };
  await client.patch(NAMESPACES, { name: twin }, labels);
  const verdict = await provider.submit(HOME, 'u8', submission(podOf(namespace, 'u8')));
  expect(verdict).toMatchObject({ accepted: false, kind: 'policy', reason: 'NamespaceTaken' });
});

const isGone = (namespace: string, name: string) =>
  expect(client.get(SECRETS, { namespace, name })).rejects.toMatchObject({ status: 404 });

describe('an object that its home does not have any more', () => {
  test('is there for no pod that comes then, and a new one of its name is', async () => {
    const { provider } = await startProvider();
    const { namespace, twin } = await twinNamespace();
    await provider.submit(HOME, 'u10', submission(podOf(namespace, 'u10', reading('key')), [secret('key', 'first')]));
    await provider.submit(HOME, 'u11', submission(podOf(namespace, 'u11', reading('key'))));
    await isGone(twin, 'headcut-home.key');
    await provider.submit(HOME, 'u12', submission(podOf(namespace, 'u12', reading('key')), [secret('key', 'second')]));
    expect(await secretAt(twin, 'headcut-home.key')).toBe('second');
  });

  test('goes when its home says so, also after a restart of this agent, and what has its name here stays', async () => {
    const { provider } = await startProvider();
    const { namespace, twin } = await twinNamespace();
    await client.create(SECRETS, { ...secret('key', 'of-the-provider'), metadata: { name: 'key', namespace: twin } });
    await provider.submit(HOME, 'u13', submission(podOf(namespace, 'u13', reading('key')), [secret('key', 'first')]));
    const again = await startProvider();
    await again.provider.updateObjects(HOME, namespace, [], [{ kind: 'Secret', name: 'key' }]);
    await isGone(twin, 'headcut-home.key');
    expect(await secretAt(twin, 'key')).toBe('of-the-provider');
    await again.provider.updateObjects(HOME, namespace, [secret('key', 'second')]);
    expect(await secretAt(twin, 'headcut-home.key')).toBe('second');
  });

  test('is the last of its changes, however close they are', async () => {
    const { provider } = await startProvider();
    const { namespace, twin } = await twinNamespace();
    await provider.submit(HOME, 'u14', submission(podOf(namespace, 'u14', reading('key')), [secret('key', '0')]));
    const gone = [{ kind: 'Secret' as const, name: 'key' }];
    await Promise.all([
      provider.updateObjects(HOME, namespace, [secret('key', '1')]),
      provider.updateObjects(HOME, namespace, [], gone),
      provider.updateObjects(HOME, namespace, [secret('key', '1')]),
    ]);
    expect(await secretAt(twin, 'headcut-home.key')).toBe('1');
  });
});

test('nothing of a namespace is left when its last pod that used it is gone, and others keep theirs', async () => {
  const { provider } = await startProvider();
  const { namespace, twin } = await twinNamespace();
  await provider.submit(HOME, 'u15', submission(podOf(namespace, 'u15', reading('old')), [secret('old', '1')]));
  await provider.submit(HOME, 'u16', submission(podOf(namespace, 'u16', reading('kept')), [secret('kept', '1')]));
  await eventually(() => expect(provider.podFor(HOME, 'u15')).toBeDefined());
  await provider.delete(HOME, 'u15', 0);
  await eventually(() => isGone(twin, 'headcut-home.old'));
  expect(await secretAt(twin, 'headcut-home.kept')).toBe('1');
});

describe('pods that a quota of this cluster refuses', () => {
  const quota = (namespace: string, pods: number) => ({ metadata: { name: 'q', namespace }, spec: { hard: { pods } } });
  const QUOTAS = { group: '', version: 'v1', plural: 'resourcequotas', kind: 'ResourceQuota', namespaced: true };
  /** There is no controller here that counts. */
  const counted = (namespace: string, used: number) =>
    client.patch(
      QUOTAS,
      { namespace, name: 'q', subresource: 'status' },
      {
        status: { hard: { pods: '1' }, used: { pods: String(used) } },
      },
    );

  test('leave nothing behind that comes to life when there is room', async () => {
    const { provider, shadowPods } = await startProvider();
    const { namespace, twin } = await twinNamespace();
    await client.create(QUOTAS, quota(twin, 1) as KubeObject);
    await counted(twin, 0);
    const uids = ['q1', 'q2', 'q3', 'q4'];
    const verdicts = await Promise.all(
      uids.map((uid) => provider.submit(HOME, uid, submission(podOf(namespace, uid)))),
    );
    const refused = verdicts.filter(({ accepted }) => !accepted);
    expect(refused).toHaveLength(3);
    for (const one of refused) expect(one).toMatchObject({ kind: 'room', reason: 'ExceededQuota' });
    await client.delete(QUOTAS, { namespace: twin, name: 'q' });
    await clock.sleep(1_500);
    expect((await client.list(PODS, { namespace: twin })).items).toHaveLength(1);
    expect((await client.list(SHADOW_PODS, { namespace: twin })).items).toHaveLength(1);
    expect(shadowPods.list().filter(({ metadata }) => metadata.namespace === twin)).toHaveLength(1);
  });

  test('are refused also where the agent ended before it made them', async () => {
    const { namespace, twin } = await twinNamespace();
    await client.create(QUOTAS, quota(twin, 1) as KubeObject);
    await counted(twin, 1);
    await client.create(SHADOW_PODS, toShadowPod(HOME, submission(podOf(namespace, 'q5'))));
    const { provider } = await startProvider();
    const refusal = { kind: 'room', reason: 'ExceededQuota' };
    await eventually(() => expect(provider.podFor(HOME, 'q5')).toMatchObject({ refusal }));
    await client.delete(QUOTAS, { namespace: twin, name: 'q' });
    await clock.sleep(1_500);
    expect((await client.list(PODS, { namespace: twin })).items).toEqual([]);
  });
});

describe('what a member leaves here is limited', () => {
  test('to the namespaces that it may have: for another one nothing is made, and its pod says why', async () => {
    const { provider } = await startProvider({ namespaces: 1 });
    const cluster = 'c'.repeat(52);
    const [first, second] = [await twinNamespace(cluster), `second-${process.pid}`];
    expect(await provider.submit(cluster, 'u20', submission(podOf(first.namespace, 'u20')))).toEqual({
      accepted: true,
    });
    const refused = await provider.submit(cluster, 'u21', submission(podOf(second, 'u21')));
    expect(refused).toMatchObject({ accepted: false, kind: 'later', reason: 'TooManyNamespaces' });
    const name = twinNamespaceName({ cluster, namespace: second });
    await expect(client.get(NAMESPACES, { name })).rejects.toMatchObject({ status: 404 });
  });

  test('to the data that it may have, also in changes', async () => {
    const { provider } = await startProvider({ objectMiB: 1 });
    const cluster = 'd'.repeat(52);
    const { namespace, twin } = await twinNamespace(cluster);
    const large = (name: string) => secret(name, 'x'.repeat(600_000));
    const [first, second] = [podOf(namespace, 'u22', reading('one')), podOf(namespace, 'u23', reading('two'))];
    expect(await provider.submit(cluster, 'u22', submission(first, [large('one')]))).toEqual({ accepted: true });
    const refused = { accepted: false, kind: 'later', reason: 'TooMuch' };
    expect(await provider.submit(cluster, 'u23', submission(second, [large('two')]))).toMatchObject(refused);
    expect(await provider.submit(cluster, 'u23', submission(second, [secret('two', '1')]))).toEqual({ accepted: true });
    const change = provider.updateObjects(cluster, namespace, [large('two')]);
    await expect(change).rejects.toMatchObject({ code: 'ResourceExhausted' });
    expect(await secretAt(twin, 'headcut-home.two')).toBe('1');
  });
});

describe('what is sent ahead of a pod', () => {
  const names = ['one', 'two'];
  const both: Partial<PodSpec> = {
    containers: [{ name: 'c', image: 'x', envFrom: names.map((name) => ({ secretRef: { name } })) }],
  };

  test('is there when the pod is made, also where nothing else is in its namespace', async () => {
    const { provider } = await startProvider();
    const { namespace, twin } = await twinNamespace();
    const pod = podOf(namespace, 'u30', both);
    expect(await provider.sendAhead(HOME, 'u30', submission(pod, [secret('one', '1')]))).toEqual({ accepted: true });
    // What nobody names is removed from time to time: it has to stay.
    await clock.sleep(1_500);
    expect(await secretAt(twin, 'headcut-home.one')).toBe('1');
    const last = { ...submission(pod, [secret('two', '2')]), ahead: [{ kind: 'Secret' as const, name: 'one' }] };
    expect(await provider.submit(HOME, 'u30', last)).toEqual({ accepted: true });
    expect(await secretAt(twin, 'headcut-home.one')).toBe('1');
    expect(await secretAt(twin, 'headcut-home.two')).toBe('2');
  });

  test('has to have come: a pod does not start without', async () => {
    const { provider } = await startProvider();
    const { namespace, twin } = await twinNamespace();
    const last = { ...submission(podOf(namespace, 'u31', both)), ahead: [{ kind: 'Secret' as const, name: 'one' }] };
    const verdict = await provider.submit(HOME, 'u31', last);
    expect(verdict).toMatchObject({ accepted: false, kind: 'later', reason: 'ObjectsMissing' });
    await expect(client.get(PODS, { namespace: twin, name: 'web-u31' })).rejects.toMatchObject({ status: 404 });
  });

  test('is held against what the member may have, and only what the pod names is taken', async () => {
    const { provider } = await startProvider({ objectMiB: 1 });
    const cluster = 'e'.repeat(52);
    const { namespace, twin } = await twinNamespace(cluster);
    const pod = podOf(namespace, 'u32', both);
    const large = (name: string) => secret(name, 'x'.repeat(600_000));
    const ahead = (object: ConfigObject) => provider.sendAhead(cluster, 'u32', submission(pod, [object]));
    expect(await ahead(large('other'))).toEqual({ accepted: true });
    await expect(secretAt(twin, 'headcut-home.other')).rejects.toMatchObject({ status: 404 });
    expect(await ahead(large('one'))).toEqual({ accepted: true });
    expect(await ahead(large('two'))).toMatchObject({ accepted: false, kind: 'later', reason: 'TooMuch' });
  });
});

describe('pods of two members with one UID', () => {
  test('are two pods: each is told, changed and deleted by its own home alone', async () => {
    const { provider, shadowPods } = await startProvider();
    const [own, others] = [await twinNamespace(HOME), await twinNamespace(OTHER)];
    await provider.submit(HOME, 'same', submission(podOf(own.namespace, 'same')));
    expect(await provider.submit(OTHER, 'same', submission(podOf(others.namespace, 'same')))).toEqual({
      accepted: true,
    });
    await eventually(() => expect(shadowPods.list().filter(({ spec }) => spec.originUID === 'same')).toHaveLength(2));
    await eventually(() => expect(provider.locate(HOME, 'same').namespace).toBe(own.twin));
    await eventually(() => expect(provider.locate(OTHER, 'same').namespace).toBe(others.twin));
    expect(provider.podFor(HOME, 'same')).toMatchObject({ namespace: own.namespace, deleting: false });
    await provider.delete(OTHER, 'same', 0);
    await eventually(() => expect(provider.podFor(OTHER, 'same')).toBeUndefined());
    expect(provider.podFor(HOME, 'same')).toMatchObject({ namespace: own.namespace, deleting: false });
    expect((await client.get<Pod>(PODS, { namespace: own.twin, name: 'web-same' })).metadata.deletionTimestamp).toBe(
      undefined,
    );
  });

  test('are submitted at once, and each is answered for itself', async () => {
    const { provider } = await startProvider();
    const [own, others] = [await twinNamespace(HOME), await twinNamespace(OTHER)];
    const forbidden = podOf(others.namespace, 'at-once', { hostNetwork: true });
    const verdicts = await Promise.all([
      provider.submit(HOME, 'at-once', submission(podOf(own.namespace, 'at-once'))),
      provider.submit(OTHER, 'at-once', submission(forbidden)),
    ]);
    expect(verdicts).toMatchObject([{ accepted: true }, { accepted: false, reason: 'NotOffloadable' }]);
  });
});

test('a second pod of a member with the UID of the first is refused', async () => {
  const { provider } = await startProvider();
  const { namespace } = await twinNamespace();
  const [first, second] = [podOf(namespace, 'u6'), podOf(namespace, 'u6')];
  second.metadata.name = 'another';
  const verdicts = await Promise.all([
    provider.submit(HOME, 'u6', submission(first)),
    provider.submit(HOME, 'u6', submission(second)),
  ]);
  verdicts.push(await provider.submit(HOME, 'u6', submission(second)));
  const refused = { accepted: false, kind: 'policy', reason: 'UIDTaken' };
  expect(verdicts).toMatchObject([{ accepted: true }, refused, refused]);
});

test('logs and shells reach the pod of that member and UID, and none that has its name', async () => {
  const { provider } = await startProvider();
  const { namespace, twin } = await twinNamespace();
  expect(await provider.submit(HOME, 'l1', submission(podOf(namespace, 'l1')))).toEqual({ accepted: true });
  await eventually(() => expect(provider.locate(HOME, 'l1')).toEqual({ namespace: twin, name: 'web-l1' }));
  const refused = (who: string, uid: string): void => expect(() => provider.locate(who, uid)).toThrow('does not exist');
  refused(OTHER, 'l1');
  refused(HOME, 'l2');
  await provider.delete(HOME, 'l1', undefined);
  // The next pod of the same name is another one.
  await eventually(() => refused(HOME, 'l1'));
});
