import { describe, expect, test } from 'vitest';
import { fencingAfterMs, fencingCondition } from '../../../src/core/fencing/fencing-rule.ts';
import { fencedAt, leaseEndsAt } from '../../../src/core/fencing/lease.ts';
import type { Pod } from '../../../src/core/kube-objects.ts';

const podOf = (kind: string, annotations: Record<string, string> = {}, status?: Pod['status']): Pod => ({
  metadata: {
    name: 'p',
    annotations,
    ownerReferences: [{ apiVersion: 'apps/v1', kind, name: 'o', uid: 'o', controller: true }],
  },
  spec: { containers: [] },
  ...(status === undefined ? {} : { status }),
});

describe('which pods are fenced, and after which time', () => {
  test('those of StatefulSets, after 30 s, when nobody says anything', () => {
    expect(fencingAfterMs(podOf('StatefulSet'), undefined, undefined)).toBe(30_000);
    expect(fencingAfterMs(podOf('ReplicaSet'), undefined, undefined)).toBeUndefined();
  });

  test('the pod says it before its namespace, and that before the federation', () => {
    const required = { mode: 'Required' as const, after: '1m' };
    const none = { mode: 'None' as const, after: '2m' };
    expect(fencingAfterMs(podOf('ReplicaSet'), undefined, required)).toBe(60_000);
    expect(fencingAfterMs(podOf('StatefulSet'), none, required)).toBeUndefined();
    const asking = podOf('ReplicaSet', { 'headcut.dev/fencing': 'Required', 'headcut.dev/fencing-after': '20s' });
    expect(fencingAfterMs(asking, none, undefined)).toBe(20_000);
    const unreadable = podOf('StatefulSet', { 'headcut.dev/fencing': 'yes', 'headcut.dev/fencing-after': 'soon' });
    expect(fencingAfterMs(unreadable, undefined, undefined)).toBe(30_000);
    const short = podOf('StatefulSet', { 'headcut.dev/fencing-after': '1s' });
    expect(fencingAfterMs(short, undefined, undefined)).toBe(10_000);
  });

  test('what the provider was told counts, whatever the settings are by now', () => {
    const told = podOf('StatefulSet', {}, { conditions: [fencingCondition(45_000)] });
    expect(fencingAfterMs(told, { mode: 'None' }, { after: '10s' })).toBe(45_000);
  });
});

test('the provider stops a pod before the consumer counts on it, however long the answer was on the way', () => {
  for (const afterMs of [10_000, 30_000, 3_600_000]) {
    for (const onTheWayMs of [0, 5, 2_000]) {
      const asked = 1_000;
      const answered = asked + onTheWayMs;
      expect(fencedAt(answered, afterMs) - leaseEndsAt(asked, afterMs)).toBeGreaterThanOrEqual(10_000 + onTheWayMs);
    }
  }
});
