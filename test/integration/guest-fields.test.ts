import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FieldRule } from '../../src/core/guest-pod/field-rule.ts';
import { GUEST_SPEC } from '../../src/core/guest-pod/guest-fields.ts';
import { DEFAULT_TERMS, type GuestTerms } from '../../src/core/guest-pod/guest-terms.ts';
import type { Pod, PodSpec } from '../../src/core/kube-objects.ts';
import { refusalByPolicy } from '../../src/core/shadow-pod/policy.ts';
import { toShadowPod } from '../../src/core/shadow-pod/shadow-pod.ts';
import { translatePod } from '../../src/core/shadow-pod/translate-pod.ts';
import { PODS } from '../../src/kube/resources.ts';
import { adminClient, freshNamespace } from './cluster.ts';

const client = adminClient();
afterAll(() => client.close());

interface Schema {
  $ref?: string;
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  items?: Schema;
}
let schemas: Record<string, Schema> = {};
let [baseline, restricted] = ['', ''];

beforeAll(async () => {
  const document = (await client.request('GET', '/openapi/v3/api/v1')) as { components: { schemas: typeof schemas } };
  schemas = document.components.schemas;
  baseline = await freshNamespace(client, { 'pod-security.kubernetes.io/enforce': 'baseline' });
  restricted = await freshNamespace(client, { 'pod-security.kubernetes.io/enforce': 'restricted' });
});

function resolved(schema: Schema): Schema {
  const reference = schema.$ref ?? schema.allOf?.[0]?.$ref;
  return reference === undefined ? schema : (schemas[reference.slice(reference.lastIndexOf('/') + 1)] ?? schema);
}

/** Paths of the API server's fields that the table does not know, and of the table's that the API server does not. */
function differences(rule: FieldRule<GuestTerms>, given: Schema, path: string): string[] {
  const schema = resolved(given);
  if (rule.kind === 'list') return differences(rule.of, schema.items ?? {}, path);
  if (rule.kind !== 'object' && rule.kind !== 'one-of') return [];
  const known = rule.kind === 'object' ? rule.fields : { ...rule.sources, ...rule.beside };
  const there = schema.properties ?? {};
  const missing = Object.keys(there).filter((name) => !(name in known));
  const tooMany = Object.keys(known).filter((name) => !(name in there));
  return [
    // What is not among the sources of a volume or a variable is refused by that.
    ...(rule.kind === 'object' ? missing : []).map((name) => `${path}.${name} has no rule`),
    ...tooMany.map((name) => `${path}.${name} is no field`),
    ...Object.entries(known).flatMap(([name, one]) => differences(one, there[name] ?? {}, `${path}.${name}`)),
  ];
}

test('each field of a pod spec that the API server knows has a rule', () => {
  // In 1.35 only.
  const former = ['spec.workloadRef is no field'];
  expect(differences(GUEST_SPEC, schemas['io.k8s.api.core.v1.PodSpec'] ?? {}, 'spec')).toEqual(former);
});

const made = (namespace: string, spec: Partial<PodSpec>, annotations: Record<string, string> = {}): Pod => {
  const pod: Pod = {
    metadata: { name: 'web', namespace: 'demo', uid: 'u1', labels: { app: 'web' }, annotations },
    spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
  };
  expect(refusalByPolicy(pod)).toBeUndefined();
  const shadow = toShadowPod('a'.repeat(52), { pod, virtualNode: 'headcut-b', hostIP: '10.1.1.1', objects: [] });
  const real = translatePod(shadow, {
    nameserver: '10.96.7.7',
    homeApi: '10.96.8.8',
    clusterDomain: 'cluster.local',
    terms: DEFAULT_TERMS,
  });
  return { ...real, metadata: { ...real.metadata, namespace } };
};
const tryOut = (pod: Pod): Promise<Pod> => client.create(PODS, pod, { dryRun: true });

describe('an API server takes a guest', () => {
  const everyPath = [
    'metadata.name',
    'metadata.namespace',
    'metadata.uid',
    "metadata.labels['app']",
    "metadata.annotations['example.com/UPPER.case_key']",
    'spec.nodeName',
    'spec.serviceAccountName',
    'status.hostIP',
    'status.hostIPs',
    'status.podIP',
    'status.podIPs',
  ];
  const container = (fields: object) => ({ containers: [{ name: 'c', image: 'x', ...fields }] });

  test.each<[string, Partial<PodSpec>]>([
    ['that asks for nothing', {}],
    ['that says what it may use', container({ resources: { limits: { cpu: '1', memory: '64Mi' } } })],
    [
      'that asks for some',
      container({ resources: { requests: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '5Mi' } } }),
    ],
    ['with limits as a whole', { resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { memory: '64Mi' } } }],
    ['with requests as a whole', { resources: { requests: { cpu: '100m', memory: '64Mi' } } }],
    [
      'with init containers and sidecars',
      {
        initContainers: [
          { name: 'i', image: 'x' },
          { name: 's', image: 'x', restartPolicy: 'Always' },
        ],
      },
    ],
    [
      'with volumes of its own',
      {
        volumes: [
          { name: 'disk', emptyDir: {} },
          { name: 'memory', emptyDir: { medium: 'Memory' } },
          { name: 'image', image: { reference: 'y' } },
          { name: 'none', projected: {} },
        ],
      },
    ],
    [
      'that reads all that it can of itself',
      container({ env: everyPath.map((fieldPath, i) => ({ name: `V${i}`, valueFrom: { fieldRef: { fieldPath } } })) }),
    ],
    [
      'that reads it from files',
      {
        volumes: ['metadata.labels', 'metadata.annotations', ...everyPath.slice(0, 5)].map((fieldPath, i) => ({
          name: `v${i}`,
          downwardAPI: { items: [{ path: 'p', fieldRef: { fieldPath } }] },
        })),
      },
    ],
    ['of another system', { os: { name: 'windows' } }],
  ])('%s', async (_what, spec) => {
    const { metadata } = await tryOut(made(baseline, spec, { 'example.com/UPPER.case_key': 'x' }));
    expect(metadata.name).toBe('web');
  });

  test('that meets the level restricted', async () => {
    const securityContext = {
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    };
    await tryOut(made(restricted, container({ securityContext })));
  });

  test('whose class of service is not above the one that it has at home', async () => {
    expect((await tryOut(made(baseline, {}))).status?.qosClass).toBe('Burstable');
    const limits = { cpu: '1', memory: '64Mi' };
    expect((await tryOut(made(baseline, container({ resources: { limits } })))).status?.qosClass).toBe('Guaranteed');
  });
});
