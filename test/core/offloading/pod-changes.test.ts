import { describe, expect, test } from 'vitest';
import type { Pod } from '../../../src/core/kube-objects.ts';
import { changesDigest, withChanges } from '../../../src/core/offloading/pod-changes.ts';
import { planPodChanges } from '../../../src/core/shadow-pod/plan-pod-changes.ts';

const pod = (metadata: Partial<Pod['metadata']> = {}, spec: Partial<Pod['spec']> = {}): Pod => ({
  metadata: { name: 'web', namespace: 'demo', uid: 'u1', labels: { app: 'web' }, ...metadata },
  spec: {
    containers: [{ name: 'c', image: 'web:1', resources: { requests: { cpu: '100m' } }, command: ['serve'] }],
    ...spec,
  },
});
const image = (name: string): Partial<Pod['spec']> => ({ containers: [{ name: 'c', image: name }] });

describe('the digest of what may change', () => {
  test('does not depend on the order of keys, on empty fields, or on what nobody may change', () => {
    const one = pod({ labels: { a: '1', b: '2' } }, { volumes: [], nodeName: 'x' });
    const other = pod({ labels: { b: '2', a: '1' }, annotations: {} }, { ephemeralContainers: [], resources: {} });
    expect(changesDigest(one)).toBe(changesDigest(other));
  });

  test.each([
    ['a label', pod({ labels: { app: 'web', tier: 'front' } })],
    ['an annotation', pod({ annotations: { note: 'x' } })],
    ['an image', pod({}, image('web:2'))],
    ['resources', pod({}, { containers: [{ name: 'c', image: 'web:1', resources: { requests: { cpu: '200m' } } }] })],
    ['a debugger', pod({}, { ephemeralContainers: [{ name: 'debugger' }] })],
    ['a deadline', pod({}, { activeDeadlineSeconds: 5 })],
  ])('tells %s apart', (_what, changed) => {
    expect(changesDigest(changed)).not.toBe(changesDigest(pod()));
  });

  test('is not moved by the record of the last apply or by annotations of headcut', () => {
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', 'headcut.dev/x': 'y' };
    expect(changesDigest(pod({ annotations }))).toBe(changesDigest(pod()));
  });

  test('agrees once a change was taken over, and nothing else is taken over with it', () => {
    const changed = pod(
      { labels: { tier: 'front' }, annotations: { note: 'x' } },
      {
        containers: [{ name: 'c', image: 'web:2', command: ['other'], resources: { limits: { cpu: '1' } } }],
        ephemeralContainers: [{ name: 'debugger', image: 'tools' }],
        activeDeadlineSeconds: 60,
        hostNetwork: true,
      },
    );
    const stored = withChanges(pod(), changed);
    expect(changesDigest(stored)).toBe(changesDigest(changed));
    expect(stored.spec.containers[0]?.command).toEqual(['serve']);
    expect(stored.spec.hostNetwork).toBeUndefined();
    expect(withChanges(stored, pod())).toEqual(pod({ annotations: {} }));
  });
});

describe('changes of the real pod', () => {
  const real = (of: Pod): Pod => ({
    ...of,
    metadata: { ...of.metadata, uid: 'r1', labels: { ...of.metadata.labels, 'added-here': 'x' } },
  });

  test('are none when it is as it should be, so that applying them again costs nothing', () => {
    const after = pod({ labels: { app: 'new' } }, { ephemeralContainers: [{ name: 'debugger' }] });
    expect(planPodChanges(pod(), after, real(after))).toEqual([]);
  });

  test('set and remove labels, and leave alone what this cluster put there', () => {
    const after = pod({ labels: { tier: 'front' } });
    expect(planPodChanges(pod(), after, real(pod()))).toEqual([
      { subresource: undefined, body: { metadata: { uid: 'r1', labels: { tier: 'front', app: null } } } },
    ]);
  });

  test('go through the subresource that is for them', () => {
    const after = pod(
      {},
      {
        containers: [{ name: 'c', image: 'web:2', resources: { requests: { cpu: '200m' } } }],
        ephemeralContainers: [{ name: 'debugger', image: 'tools' }],
      },
    );
    expect(planPodChanges(pod(), after, real(pod()))).toEqual([
      {
        subresource: undefined,
        body: { metadata: { uid: 'r1' }, spec: { containers: [{ name: 'c', image: 'web:2' }] } },
      },
      {
        subresource: 'resize',
        body: {
          metadata: { uid: 'r1' },
          spec: { containers: [{ name: 'c', resources: { requests: { cpu: '200m' } } }] },
        },
      },
      {
        subresource: 'ephemeralcontainers',
        body: { metadata: { uid: 'r1' }, spec: { ephemeralContainers: [{ name: 'debugger', image: 'tools' }] } },
      },
    ]);
  });
});
