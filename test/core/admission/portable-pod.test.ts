import { expect, test } from 'vitest';
import { holds, type ObjectRule, toCel } from '../../../src/core/admission/object-rule.ts';
import { isPortablePod } from '../../../src/core/admission/portable-pod.ts';
import type { Pod, PodSpec } from '../../../src/core/kube-objects.ts';
import { refusalByPolicy } from '../../../src/core/shadow-pod/policy.ts';
import { LEAVING, STAYING } from './portable-pods.ts';

const podWith = (spec: object, metadata: object = {}): Pod => ({
  metadata: { name: 'p', ...metadata },
  spec: { containers: [{ name: 'c' }], ...spec } as PodSpec,
});

test.each(Object.entries(STAYING))('a pod with %s runs at home', (_what, spec) => {
  expect(isPortablePod(podWith(spec))).toBe(false);
});

test.each(Object.entries(LEAVING))('a pod with %s may leave, and is taken', (_what, spec) => {
  expect(isPortablePod(podWith(spec))).toBe(true);
  expect(refusalByPolicy(podWith(spec))).toBeUndefined();
});

test('a pod with an AppArmor profile in an annotation leaves with the default one alone', () => {
  const having = (value: string): Pod =>
    podWith({}, { annotations: { 'container.apparmor.security.beta.kubernetes.io/c': value, other: value } });
  expect(['runtime/default', '', 'unconfined', 'localhost/x'].map(having).map(isPortablePod)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('a rule has one meaning as an expression and as a function', () => {
  const rule: ObjectRule = {
    kind: 'all',
    rules: [
      { kind: 'unset', path: 'spec.hostPID', type: 'boolean' },
      {
        kind: 'each',
        paths: ['spec.a', 'spec.b'],
        of: {
          kind: 'any',
          rules: [
            { kind: 'has', path: 'x' },
            { kind: 'among', path: 'y.z', values: ['v'] },
          ],
        },
      },
    ],
  };
  expect(toCel(rule, 'object')).toBe(
    "!object.?spec.hostPID.orValue(false) && (object.?spec.a.orValue([]) + object.?spec.b.orValue([])).all(c, has(c.x) || c.?y.z.orValue('') in ['', 'v'])",
  );
  expect(holds(rule, { spec: { a: [{ x: 1 }, { y: { z: 'v' } }, {}] } })).toBe(true);
  expect(holds(rule, { spec: { b: [{ y: { z: 'w' } }] } })).toBe(false);
  expect(holds(rule, { spec: { b: null } })).toBe(false);
});
