import { describe, expect, test } from 'vitest';
import type { ConfigObject, Pod, PodSpec } from '../../../src/core/kube-objects.ts';
import { OBJECT_NAMES_ANNOTATION } from '../../../src/core/labels.ts';
import { referencedByDebuggers, referencedObjects } from '../../../src/core/reflection/references.ts';
import { reflectedName } from '../../../src/core/reflection/reflected-name.ts';
import { toRemotePod } from '../../../src/core/shadow-pod/plan-shadow-pod.ts';
import { inHomeWords, wantedObjects } from '../../../src/core/shadow-pod/shadow-objects.ts';
import { type ShadowPod, toShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import {
  type PodSurroundings,
  translatePod,
  translateWithDebuggers,
} from '../../../src/core/shadow-pod/translate-pod.ts';

const surroundings: PodSurroundings = { nameserver: '10.96.7.7', homeApi: undefined, clusterDomain: 'cluster.local' };
const origin = { cluster: 'cluster-a', namespace: 'demo' };

const shadowOf = (spec: Partial<PodSpec>, { former = false, uid = 'u1' } = {}): ShadowPod => {
  const pod: Pod = {
    metadata: { name: 'web', namespace: 'demo', uid },
    spec: { containers: [{ name: 'c' }], ...spec },
  };
  const shadow = toShadowPod(origin.cluster, { pod, virtualNode: 'headcut-b', objects: [] });
  const { [OBJECT_NAMES_ANNOTATION]: _, ...annotations } = shadow.metadata.annotations ?? {};
  return former ? { ...shadow, metadata: { ...shadow.metadata, annotations } } : shadow;
};

const twinOf = (shadow: ShadowPod) => ({ name: shadow.metadata.namespace ?? '', origin });
const withEphemeral = (shadow: ShadowPod, ephemeralContainers: PodSpec['ephemeralContainers']): ShadowPod => {
  const { pod } = shadow.spec;
  const debugged = { ...pod, spec: { ...pod.spec, ...(ephemeralContainers ? { ephemeralContainers } : {}) } };
  return { ...shadow, spec: { ...shadow.spec, pod: debugged } };
};

/** One reference of each kind to objects of these two names. */
const everywhere = (map: string, secret: string): Partial<PodSpec> => {
  const env = [
    { name: 'A', valueFrom: { configMapKeyRef: { name: map, key: 'k' } } },
    { name: 'B', valueFrom: { secretKeyRef: { name: secret, key: 'k', optional: true } } },
  ];
  const envFrom = [{ configMapRef: { name: map } }, { prefix: 'P_', secretRef: { name: secret } }];
  return {
    containers: [{ name: 'c', env, envFrom }],
    initContainers: [{ name: 'i', env, envFrom }],
    imagePullSecrets: [{ name: secret }],
    volumes: [
      { name: 'm', configMap: { name: map, items: [] } },
      { name: 's', secret: { secretName: secret, defaultMode: 256 } },
      { name: 'p', projected: { sources: [{ configMap: { name: map } }, { secret: { name: secret } }] } },
    ],
  };
};

const configMap = (name: string): ConfigObject => ({ kind: 'ConfigMap', metadata: { name }, data: { k: 'v' } });
const secret = (name: string): ConfigObject => ({ kind: 'Secret', metadata: { name }, data: { k: 'dg==' } });
const namesOf = (sent: ConfigObject[], ...shadows: ShadowPod[]) =>
  wantedObjects(sent, shadows, twinOf(shadows[0] as ShadowPod))
    .map(({ object }) => `${object.kind}/${object.metadata.name}`)
    .sort();

describe('a pod on the provider', () => {
  test('names no object of its twin namespace but those that its home sent', () => {
    const debugged = withEphemeral(shadowOf(everywhere('settings', 'regcred')), everywhere('x', 'y').containers);
    const made = translateWithDebuggers(debugged, surroundings);
    const names = [...referencedObjects(made), ...referencedByDebuggers(made)].map(({ name }) => name);
    expect(names).toEqual(['headcut-home.settings', 'headcut-home.regcred', 'headcut-home.x', 'headcut-home.y']);
    expect(JSON.stringify(made)).not.toMatch(/"(settings|regcred|x|y)"/);
    expect(made.spec.volumes?.[1]).toEqual({
      name: 's',
      secret: { secretName: 'headcut-home.regcred', defaultMode: 256 },
    });
    expect(made.spec.containers[0]?.envFrom?.[1]).toEqual({
      prefix: 'P_',
      secretRef: { name: 'headcut-home.regcred' },
    });
  });

  test('gets no Secret by a source that is not known, or that hides behind a null', () => {
    const made = translatePod(
      shadowOf({
        containers: [{ name: 'c', env: [{ name: 'A', valueFrom: { futureSecretRef: { name: 'regcred' } } }] }],
        volumes: [
          { name: 'v', emptyDir: null, cephfs: { secretRef: { name: 'regcred' } } },
          { name: 'w', projected: { sources: [{ futureSecret: { name: 'regcred' } }] } },
        ],
      }),
      surroundings,
    );
    expect(JSON.stringify(made)).not.toContain('regcred');
  });

  test('does not pull images with what the provider gave to the ServiceAccount', () => {
    for (const spec of [{}, { imagePullSecrets: [] }])
      expect(translatePod(shadowOf(spec), surroundings).spec.imagePullSecrets).toEqual([
        { name: 'headcut-no-credentials' },
      ]);
  });

  test('keeps its references where it was made by an earlier version, whose debuggers have new ones', () => {
    const debugged = withEphemeral(shadowOf(everywhere('kube-root-ca.crt', 'regcred'), { former: true }), [
      { name: 'd', envFrom: [{ secretRef: { name: 'regcred' } }] },
    ]);
    const made = translateWithDebuggers(debugged, surroundings);
    expect(referencedObjects(made).map(({ name }) => name)).toEqual(['headcut-home-root-ca.crt', 'regcred']);
    expect(referencedByDebuggers(made).map(({ name }) => name)).toEqual(['headcut-home.regcred']);
    expect(namesOf([secret('regcred'), configMap('kube-root-ca.crt')], debugged)).toEqual([
      'ConfigMap/headcut-home-root-ca.crt',
      'Secret/headcut-home.regcred',
      'Secret/regcred',
    ]);
  });
});

describe('the name of a reflected object', () => {
  test('is valid however long the one at home is, and differs for each', () => {
    const homes = ['a', 'b', 'a'.repeat(240), 'a'.repeat(241), 'a'.repeat(253), `${'a'.repeat(252)}b`];
    const names = homes.map((name) => reflectedName('Secret', name));
    expect(new Set(names).size).toBe(homes.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/);
  });
});

describe('of what a consumer sends', () => {
  test('only what a pod of its namespace references is taken, by each name that is in use', () => {
    const [now, before] = [shadowOf(everywhere('a', 'b')), shadowOf(everywhere('a', 'c'), { former: true, uid: 'u2' })];
    const sent = [configMap('a'), secret('a'), secret('b'), secret('c'), secret('other')];
    expect(namesOf(sent, now)).toEqual(['ConfigMap/headcut-home.a', 'Secret/headcut-home.b']);
    expect(namesOf(sent, now, before)).toEqual([
      'ConfigMap/a',
      'ConfigMap/headcut-home.a',
      'Secret/c',
      'Secret/headcut-home.b',
    ]);
  });

  test('tokens are taken for a pod that mounts some, and are nothing that another pod can name', () => {
    const volumes = [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }];
    const mounting = shadowOf({ volumes });
    const [wanted] = wantedObjects([secret('headcut-tokens-u1')], [mounting], twinOf(mounting));
    expect(wanted).toMatchObject({ object: { metadata: { name: 'headcut-tokens-u1' } }, owner: mounting });
    const thief = shadowOf(everywhere('a', 'headcut-tokens-u1'), { uid: 'u2' });
    expect(namesOf([secret('headcut-tokens-u1')], thief)).toEqual(['Secret/headcut-home.headcut-tokens-u1']);
    expect(namesOf([secret('headcut-tokens-u2')], shadowOf({}, { uid: 'u2' }))).toEqual([]);
  });
});

describe('what is said about the pod at home', () => {
  const long = 'l'.repeat(250);
  const shadow = shadowOf(everywhere('settings', long));

  test('has the names that its objects and its namespace have there', () => {
    const twin = shadow.metadata.namespace;
    expect(inHomeWords('configmap "headcut-home.settings" not found', shadow)).toBe('configmap "settings" not found');
    expect(inHomeWords(`object "${twin}"/"${reflectedName('Secret', long)}" not registered`, shadow)).toBe(
      `object "demo"/"${long}" not registered`,
    );
    const former = shadowOf({}, { former: true });
    expect(inHomeWords('configmap "headcut-home-root-ca.crt" not found', former)).toBe(
      'configmap "kube-root-ca.crt" not found',
    );
  });

  test('is so in each message of its status, and in a refusal', () => {
    const message = 'secret "headcut-home.settings" not found';
    const made = translatePod(shadow, surroundings);
    const waiting = { waiting: { reason: 'CreateContainerConfigError', message } };
    const status = { containerStatuses: [{ name: 'c', ready: false, restartCount: 0, state: waiting }] };
    const refused = { ...shadow, status: { refusal: { kind: 'room' as const, reason: 'X', message } } };
    const remote = toRemotePod({ shadow: refused, pod: { ...made, status }, deleting: false });
    expect(JSON.stringify(remote)).not.toContain('headcut-home');
    expect(remote.status?.containerStatuses?.[0]?.state?.waiting?.message).toBe('secret "settings" not found');
  });
});
