import { describe, expect, test } from 'vitest';
import type { Pod } from '../../../src/core/kube-objects.ts';
import { formatMap } from '../../../src/core/shadow-pod/own-facts.ts';
import { planPodChanges } from '../../../src/core/shadow-pod/plan-pod-changes.ts';
import { type ShadowPod, toShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import { translatePod } from '../../../src/core/shadow-pod/translate-pod.ts';

const surroundings = { nameserver: '10.96.7.7', homeApi: undefined, clusterDomain: 'cluster.local' };
const PATHS = [
  'metadata.labels',
  'metadata.annotations',
  "metadata.labels['app.kubernetes.io/managed-by']",
  "metadata.annotations['headcut.dev/failover-after']",
  "metadata.annotations['batch.kubernetes.io/job-completion-index']",
  "metadata.labels['absent']",
  "metadata.labels['topology.kubernetes.io/zone']",
  "metadata.labels['constructor']",
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
];

const pod: Pod = {
  metadata: {
    name: 'web',
    namespace: 'demo',
    uid: 'u1',
    labels: { 'app.kubernetes.io/managed-by': 'Helm', app: 'web', 'topology.kubernetes.io/zone': 'headcut-b' },
    annotations: { 'headcut.dev/failover-after': '30s', 'batch.kubernetes.io/job-completion-index': '4' },
  },
  spec: {
    serviceAccountName: 'builder',
    containers: [
      { name: 'c', env: PATHS.map((fieldPath, i) => ({ name: `V${i}`, valueFrom: { fieldRef: { fieldPath } } })) },
    ],
    volumes: [
      { name: 'd', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
      {
        name: 'p',
        projected: {
          sources: [{ downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } }],
        },
      },
    ],
  },
};
const shadowOf = (from: Pod, more: { hostIP?: string } = { hostIP: '10.1.1.1' }): ShadowPod =>
  toShadowPod('cluster-a', { pod: from, virtualNode: 'headcut-b', objects: [], ...more });

/** What a kubelet answers: the downward API knows nothing but the real pod. */
function answer(real: Pod, fieldPath: string): string {
  const [, map, key = ''] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(fieldPath) ?? [];
  if (map === undefined) throw new Error(`${fieldPath} is asked of the provider`);
  return real.metadata[map as 'labels']?.[key] ?? '';
}
const answers = (real: Pod): string[] =>
  (real.spec.containers[0]?.env ?? []).map(({ valueFrom }) => answer(real, valueFrom?.fieldRef?.fieldPath ?? ''));

describe('what a pod on a provider reads of itself', () => {
  test('is what its owner gave it', () => {
    expect(answers(translatePod(shadowOf(pod), surroundings))).toEqual([
      'app="web"\napp.kubernetes.io/managed-by="Helm"',
      'batch.kubernetes.io/job-completion-index="4"\nheadcut.dev/failover-after="30s"',
      'Helm',
      '30s',
      '4',
      '',
      'headcut-b',
      '',
      'demo',
      'u1',
      'headcut-b',
      'builder',
      '10.1.1.1',
    ]);
  });

  test('is not the address of the provider, also where its home does not say another', () => {
    expect(answers(translatePod(shadowOf(pod, {}), surroundings)).at(-1)).toBe('');
  });

  test('is the same in files', () => {
    const real = translatePod(shadowOf(pod), surroundings);
    const [downward, projected] = real.spec.volumes ?? [];
    for (const items of [downward?.downwardAPI?.items, projected?.projected?.sources?.[0]?.downwardAPI?.items])
      expect(answer(real, items?.[0]?.fieldRef?.fieldPath ?? '')).toContain('managed-by="Helm"');
  });

  test('follows a change of a label', () => {
    const changed = { ...pod, metadata: { ...pod.metadata, labels: { 'app.kubernetes.io/managed-by': 'Argo' } } };
    const before = translatePod(shadowOf(pod), surroundings);
    const [patch] = planPodChanges(before, translatePod(shadowOf(changed), surroundings), before);
    expect(Object.values(patch?.body.metadata.annotations as Record<string, string>)).toEqual(
      expect.arrayContaining(['Argo', 'app.kubernetes.io/managed-by="Argo"']),
    );
    expect(patch?.body.metadata.labels).toEqual({ app: null, 'topology.kubernetes.io/zone': null });
  });

  test('puts no annotation there for what it does not ask', () => {
    const silent = { ...pod, spec: { containers: [{ name: 'c' }] } };
    expect(Object.keys(translatePod(shadowOf(silent), surroundings).metadata.annotations ?? {}).sort()).toEqual(
      ['namespace', 'node', 'service-account', 'uid'].map((what) => `headcut.dev/origin-${what}`),
    );
  });
});

test('all labels in one file are written as a kubelet writes them', () => {
  expect(formatMap({ b: 'two\nlines', a: '{"x": [1, "ü"]}', c: '\u0000\u007f\u200b\u{1f600}\\\u{e0001}' })).toBe(
    String.raw`a="{\"x\": [1, \"ü\"]}"` +
      '\n' +
      String.raw`b="two\nlines"` +
      '\n' +
      String.raw`c="\x00\x7f\u200b😀\\\U000e0001"`,
  );
  expect(formatMap({})).toBe('');
});
