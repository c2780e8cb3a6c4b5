import { describe, expect, test } from 'vitest';
import type { Pod, PodSpec } from '../../../src/core/kube-objects.ts';
import { hasVariablesFromFiles, toAddressFile } from '../../../src/core/shadow-pod/own-address.ts';
import { toShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import { GATE_CONTAINER } from '../../../src/core/shadow-pod/start-gate.ts';
import { translatePod } from '../../../src/core/shadow-pod/translate-pod.ts';

const surroundings = { nameserver: '10.96.7.7', homeApi: undefined, clusterDomain: 'cluster.local', image: 'agent:1' };
const ASKING = { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } };
const FROM_FILE = { fileKeyRef: { volumeName: 'headcut-address', path: 'address', key: 'podIP' } };

function madeOf(spec: Partial<PodSpec>, annotations = {}, variablesFromFiles = true): Pod {
  const pod: Pod = {
    metadata: { name: 'db-0', namespace: 'shop', uid: 'u1', annotations },
    spec: { containers: [{ name: 'db', env: [ASKING] }], ...spec },
  };
  const shadow = toShadowPod('cluster-a', { pod, virtualNode: 'headcut-b', objects: [] });
  return translatePod(shadow, { ...surroundings, variablesFromFiles });
}

describe('a pod that asks for its own address', () => {
  test('gets the one by which others know it, from the file that the gate writes', () => {
    const env = [
      ASKING,
      { name: 'IPS', valueFrom: { fieldRef: { fieldPath: 'status.podIPs' } } },
      { name: 'X', value: '$(IPS)' },
    ];
    const { spec } = madeOf({ containers: [{ name: 'db', env }], initContainers: [{ name: 'init', env: [ASKING] }] });
    expect(spec.containers[0]?.env).toEqual([
      { name: 'POD_IP', valueFrom: FROM_FILE },
      { name: 'IPS', valueFrom: { fileKeyRef: { ...FROM_FILE.fileKeyRef, key: 'podIPs' } } },
      { name: 'X', value: '$(IPS)' },
    ]);
    expect(spec.initContainers).toMatchObject([
      { name: GATE_CONTAINER, volumeMounts: [{ name: 'headcut-address' }] },
      { name: 'init', env: [{ valueFrom: FROM_FILE }] },
    ]);
    const command = (spec.initContainers?.[0]?.command ?? []) as string[];
    expect(command.slice(-2)).toEqual(['--address', '10.96.7.7']);
    expect(spec.volumes).toMatchObject([{ name: 'headcut-address', emptyDir: {} }]);
  });

  test('has a gate that does all it is there for', () => {
    const { spec } = madeOf({ subdomain: 'db' });
    const [gate] = spec.initContainers ?? [];
    expect(gate?.command).toEqual(expect.arrayContaining(['--hosts', '--address']));
    expect(gate?.volumeMounts).toMatchObject([{ name: 'headcut-hosts' }, { name: 'headcut-address' }]);
  });

  test.each([
    ['it says that it wants that', {}, { 'headcut.dev/pod-ip': 'Local' }, true],
    ['its node takes no variables from files', {}, {}, false],
    ['it has a volume of that name', { volumes: [{ name: 'headcut-address', emptyDir: {} }] }, {}, true],
    ['it does not ask', { containers: [{ name: 'db' }] }, {}, true],
  ])('has the one of its interface where %s', (_where, spec, annotations, variablesFromFiles) => {
    const made = madeOf(spec, annotations, variablesFromFiles);
    expect(made.spec).not.toHaveProperty('initContainers');
    expect(JSON.stringify(made.spec)).not.toContain('fileKeyRef');
  });
});

test('the file is one that a kubelet reads', () => {
  expect(toAddressFile('100.64.7.9')).toBe("podIP='100.64.7.9'\npodIPs='100.64.7.9'\n");
});

test.each([
  ['v1.34.9', false],
  ['v1.35.0', true],
  ['v1.36.3+k0s.0', true],
  ['v2.0.0', true],
  ['', false],
])('a node of %j takes variables from files: %j', (version, expected) => {
  expect(hasVariablesFromFiles(version)).toBe(expected);
});
