import { describe, expect, test } from 'vitest';
import { guestAnnotations, guestProblems, guestSpec } from '../../../src/core/guest-pod/admit-guest.ts';
import { DEFAULT_TERMS, type GuestTerms } from '../../../src/core/guest-pod/guest-terms.ts';
import type { Pod, PodSpec } from '../../../src/core/kube-objects.ts';

const podWith = (spec: object, annotations: Record<string, string> = {}): Pod => ({
  metadata: { name: 'p', namespace: 'demo', uid: 'u', annotations },
  spec: { containers: [{ name: 'c' }], ...spec } as PodSpec,
});
const problems = (spec: object, terms: Partial<GuestTerms> = {}): string[] =>
  guestProblems(podWith(spec), { ...DEFAULT_TERMS, ...terms });
const container = (fields: object) => ({ containers: [{ name: 'c', ...fields }] });
const volume = (source: object) => ({ volumes: [{ name: 'v', ...source }] });
const projected = (source: object) => volume({ projected: { sources: [source] } });
const variable = (valueFrom: object) => container({ env: [{ name: 'E', valueFrom }] });

describe('a guest is refused, with the reason', () => {
  test.each<[string, object, string]>([
    ['a source behind a null', volume({ emptyDir: null, nfs: { server: '192.0.2.9', path: '/' } }), 'of type nfs'],
    ['a second source', volume({ emptyDir: {}, configMap: { name: 'x' } }), 'more than one source'],
    ['a foreign source beside an allowed one', volume({ emptyDir: {}, csi: { driver: 'd' } }), 'of type csi'],
    ['a volume of nothing', volume({ emptyDir: null }), 'no source'],
    ['a volume of a future kind', volume({ quantumDisk: {} }), 'of type quantumDisk'],
    ['a volume named like what all objects have', volume({ constructor: {} }), 'of type constructor'],
    ['a claim made for it', volume({ ephemeral: { volumeClaimTemplate: {} } }), 'of type ephemeral'],
    ['a volume that is no object', { volumes: ['x'] }, 'not of the kind'],
    ['volumes that are no list', { volumes: { length: 1 } }, 'not of the kind'],
    ['an option of a volume that nobody knows', volume({ emptyDir: { future: 1 } }), 'does not know here: future'],
    ['a projected certificate', projected({ podCertificate: { signerName: 's' } }), 'podCertificate'],
    [
      'a projected trust bundle behind a null',
      projected({ secret: null, clusterTrustBundle: {} }),
      'clusterTrustBundle',
    ],
    ['a variable of a future kind', variable({ vaultRef: {} }), 'comes from vaultRef'],
    [
      'two sources of a variable',
      variable({ fieldRef: { fieldPath: 'metadata.name' }, secretKeyRef: {} }),
      'more than',
    ],
    ['a field of the node', variable({ fieldRef: { fieldPath: 'status.nodeInfo' } }), 'does not know'],
    ['the network of the node', { hostNetwork: true }, 'hostNetwork'],
    ['resource claims', { resourceClaims: [{ name: 'r' }] }, 'resource claims'],
    ['claims of a container', container({ resources: { claims: [{ name: 'r' }] } }), 'resource claims'],
    ['claims of the pod as a whole', { resources: { claims: [{ name: 'r' }] } }, 'resource claims'],
    [
      'a field of a block device',
      container({ volumeDevices: [{ name: 'd', path: '/d' }] }),
      'does not know here: path',
    ],
    ['a runtime class', { runtimeClassName: 'gpu' }, 'runtime class gpu'],
    ['a future field', { fieldFromTheFuture: { is: 1 } }, 'does not know here: fieldFromTheFuture'],
    ['a future field of a container', container({ future: true }), 'does not know here: future'],
    ['a future field of a probe', container({ livenessProbe: { udp: {}, x: 1 } }), 'does not know here: x'],
    [
      'a probe of another host',
      container({ livenessProbe: { httpGet: { host: '127.0.0.1', port: 1 } } }),
      'names a host',
    ],
    [
      'a hook to another host',
      container({ lifecycle: { preStop: { tcpSocket: { host: 'x', port: 1 } } } }),
      'names a host',
    ],
    [
      'a seccomp profile of the node',
      { securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'x' } } },
      'seccomp profile',
    ],
    [
      'an AppArmor profile of the node',
      container({ securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: 'x' } } }),
      'AppArmor profile',
    ],
    [
      'the same of an init container',
      { initContainers: [{ name: 'i', volumeDevices: [{ name: 'd', future: 1 }] }] },
      'init container i device d has a field',
    ],
    ['the same of a debugger', { ephemeralContainers: [{ name: 'd', future: 'x' }] }, 'ephemeral container d'],
  ])('that asks for %s', (_what, spec, word) => {
    expect(problems(spec).join('; ')).toContain(word);
  });

  test('in a message of bounded size', () => {
    const volumes = Array.from({ length: 5_000 }, (_, i) => ({ name: `${'v'.repeat(500)}${i}`, nfs: {} }));
    const said = problems({ volumes });
    expect(said).toHaveLength(8);
    expect(said.join('; ').length).toBeLessThan(1_000);
    expect(said.at(-1)).toBe('4993 things more');
  });

  test('for an AppArmor profile of the node, as older pods name it', () => {
    const name = 'container.apparmor.security.beta.kubernetes.io/c';
    expect(guestProblems(podWith({}, { [name]: 'localhost/mine' }), DEFAULT_TERMS)).toHaveLength(1);
    expect(guestProblems(podWith({}, { [name]: 'runtime/default' }), DEFAULT_TERMS)).toEqual([]);
  });
});

describe('a guest is taken', () => {
  test.each<[string, object]>([
    [
      'with nulls where nothing is',
      { ...volume({ emptyDir: {}, nfs: null }), runtimeClassName: null, hostUsers: null },
    ],
    ['with empty lists', { resourceClaims: [], volumes: [], initContainers: [], schedulingGates: [] }],
    ['with what says no', { hostNetwork: false, hostPID: false }],
    ['with a projected volume without sources', volume({ projected: {} })],
    ['with a file of variables of its own', variable({ fileKeyRef: { volumeName: 'v', path: 'p', key: 'k' } })],
    ['with an unset field of the future', { fieldFromTheFuture: [] }],
    [
      'with users of its own',
      { hostUsers: false, securityContext: { runAsUser: 1, sysctls: [{ name: 'a', value: 'b' }] } },
    ],
    ['with a hook that sleeps', container({ lifecycle: { preStop: { sleep: { seconds: 3 } }, stopSignal: 'SIGINT' } })],
  ])('%s', (_what, spec) => {
    expect(problems(spec)).toEqual([]);
  });

  test('with what the owner of the provider allows', () => {
    expect(problems({ runtimeClassName: 'gvisor' }, { runtimeClasses: ['gvisor'] })).toEqual([]);
    expect(problems({ runtimeClassName: 'gpu' }, { runtimeClasses: ['gvisor'] })).toHaveLength(1);
    expect(problems({ fieldFromTheFuture: 1 }, { unknownFields: 'Drop' })).toEqual([]);
    const probe = container({ livenessProbe: { httpGet: { host: 'x', port: 1 } } });
    expect(problems(probe, { podSecurityLevel: 'privileged' })).toEqual([]);
  });
});

describe('the spec of a guest', () => {
  const spec = (fields: object): PodSpec => guestSpec(podWith(fields).spec, DEFAULT_TERMS);

  test('has no field that speaks of nodes, the scheduler, priorities, accounts or other volumes', () => {
    const made = spec({
      nodeName: 'headcut-b',
      nodeSelector: { a: 'b' },
      affinity: {},
      tolerations: [{ operator: 'Exists' }],
      schedulerName: 's',
      schedulingGates: [{ name: 'g' }],
      topologySpreadConstraints: [{}],
      priority: 2_000_000_000,
      priorityClassName: 'system-node-critical',
      preemptionPolicy: 'PreemptLowerPriority',
      overhead: { cpu: '1' },
      serviceAccountName: 'builder',
      serviceAccount: 'builder',
      runtimeClassName: 'gpu',
      fieldFromTheFuture: 1,
      volumes: [{ name: 'v', nfs: {} }],
    });
    expect(made).toEqual({ containers: [{ name: 'c' }], volumes: [] });
  });

  test('has a list of containers, whatever was sent', () => {
    for (const containers of [undefined, null, 'x', {}, [null]])
      expect(spec({ containers })).toEqual({ containers: [] });
  });

  test('is what it was, where nothing is to be left out', () => {
    const fields = {
      containers: [
        {
          name: 'c',
          image: 'x',
          args: ['a'],
          ports: [{ containerPort: 80, protocol: 'TCP' }],
          env: [{ name: 'A', value: '' }],
          resources: { limits: { cpu: '1' }, requests: {} },
          livenessProbe: { grpc: { port: 1, service: '' }, periodSeconds: 3 },
          lifecycle: { postStart: { exec: { command: ['true'] } } },
          securityContext: { capabilities: { drop: ['ALL'] }, runAsUser: 0 },
          volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 's' }],
        },
      ],
      volumes: [{ name: 'v', configMap: { name: 'm', items: [{ key: 'k', path: 'p', mode: 256 }] } }],
      hostname: 'h',
      setHostnameAsFQDN: true,
      dnsConfig: { options: [{ name: 'ndots', value: '2' }] },
    };
    expect(spec(fields)).toEqual(fields);
  });
});

test('of annotations, private ones and those for the kubelet reach the pod, and those that the owner of the provider names', () => {
  const annotations = {
    'container.apparmor.security.beta.kubernetes.io/c': 'runtime/default',
    'kubectl.kubernetes.io/default-container': 'c',
    'kubernetes.io/config.mirror': 'x',
    'k8s.v1.cni.cncf.io/networks': 'lan',
    'prometheus.io/scrape': 'true',
    'vault.hashicorp.com/agent-inject': 'true',
    note: 'private to its owner',
  };
  const kept = (patterns: string[]) =>
    Object.keys(guestAnnotations(podWith({}, annotations), { ...DEFAULT_TERMS, annotations: patterns }));
  const always = ['container.apparmor.security.beta.kubernetes.io/c', 'kubectl.kubernetes.io/default-container'];
  expect(kept([])).toEqual([...always, 'note']);
  expect(kept(['prometheus.io/*', 'k8s.v1.cni.cncf.io/networks'])).toEqual([
    ...always,
    'k8s.v1.cni.cncf.io/networks',
    'prometheus.io/scrape',
    'note',
  ]);
});
