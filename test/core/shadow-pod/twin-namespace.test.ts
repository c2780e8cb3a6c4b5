import { expect, test } from 'vitest';
import type { ShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import {
  formerTwinName,
  isTwinName,
  twinNameAmong,
  twinNamespaceName,
} from '../../../src/core/shadow-pod/twin-namespace.ts';

const origin = { cluster: 'a'.repeat(52), namespace: 'demo' };
const shadowIn = (namespace: string, { cluster, namespace: originNamespace } = origin): ShadowPod =>
  ({ metadata: { name: 'p', namespace }, spec: { originCluster: cluster, originNamespace } }) as ShadowPod;

test('a twin namespace has 64 bits of its origin in its name, which is valid however long that of home is', () => {
  expect(twinNamespaceName(origin)).toMatch(/^demo-[0-9a-f]{16}$/);
  for (const namespace of ['n'.repeat(63), `${'n'.repeat(45)}-${'n'.repeat(17)}`])
    expect(twinNamespaceName({ ...origin, namespace })).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])$/);
});

test('pods of a namespace join those that an earlier version put into its twin, and no others', () => {
  const former = formerTwinName(origin);
  expect(twinNameAmong([], origin)).toBe(twinNamespaceName(origin));
  expect(twinNameAmong([shadowIn(former)], origin)).toBe(former);
  expect(twinNameAmong([shadowIn(former, { ...origin, cluster: 'b' })], origin)).toBe(twinNamespaceName(origin));
  // Somebody made a shadow pod elsewhere.
  expect(twinNameAmong([shadowIn('kube-system')], origin)).toBe(twinNamespaceName(origin));
  expect([isTwinName(former, origin), isTwinName('kube-system', origin)]).toEqual([true, false]);
});
