import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CodedError } from '../../../src/core/coded-error.ts';
import type { FieldRule } from '../../../src/core/guest-pod/field-rule.ts';
import { GUEST_SPEC } from '../../../src/core/guest-pod/guest-fields.ts';
import type { GuestTerms } from '../../../src/core/guest-pod/guest-terms.ts';
import type { Pod, PodSpec } from '../../../src/core/kube-objects.ts';
import { refusalByPolicy } from '../../../src/core/shadow-pod/policy.ts';
import { toShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import { translateWithDebuggers } from '../../../src/core/shadow-pod/translate-pod.ts';

const surroundings = {
  nameserver: '10.96.7.7',
  homeApi: '10.96.8.8',
  clusterDomain: 'cluster.local',
  image: 'agent:1',
};
const anything = fc.jsonValue({ maxDepth: 3 });
const text = fc.constantFrom(
  'x',
  '',
  'constructor',
  '__proto__',
  "metadata.labels['a']",
  'metadata.labels',
  'x'.repeat(300),
);
const plain = fc.oneof(text, fc.constantFrom(null, 1, -1, 1e300, true, [], {}, ['x'], [null]));

/** Objects that look like pods: fields with the names of the table, with what belongs there, or anything else. */
function like(rule: FieldRule<GuestTerms>, depth = 0): fc.Arbitrary<unknown> {
  if (rule.kind === 'list') {
    const items = fc.array(like(rule.of, depth + 1), { maxLength: 2 });
    return fc.oneof({ weight: 8, arbitrary: items }, plain);
  }
  if (rule.kind !== 'object' && rule.kind !== 'one-of') return fc.oneof({ weight: 8, arbitrary: plain }, anything);
  const fields = rule.kind === 'object' ? rule.fields : { ...rule.sources, ...rule.beside };
  const record = fc.record(
    Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, like(one, depth + 1)])),
    { requiredKeys: depth === 0 ? ['containers'] : [] },
  );
  return fc.oneof({ weight: 8, arbitrary: record }, anything);
}

test('no pod that a member can send is more than a refusal, or a pod of known fields', () => {
  const spec = like(GUEST_SPEC).filter((value) => typeof value === 'object' && value !== null);
  fc.assert(
    fc.property(spec, fc.dictionary(text, plain), (value, map) => {
      const metadata = { name: 'p', namespace: 'demo', uid: 'u', labels: map, annotations: map };
      const pod = { metadata, spec: value as PodSpec } as unknown as Pod;
      const refusal = refusalByPolicy(pod);
      expect((refusal?.message ?? '').length).toBeLessThan(2_000);
      // Also what is refused: a former version may have taken it.
      try {
        const shadow = toShadowPod('a'.repeat(52), { pod, virtualNode: 'headcut-b', objects: [] });
        const real = translateWithDebuggers({ ...shadow, spec: { ...shadow.spec, pod } }, surroundings);
        expect(real.spec.serviceAccountName).toBe('default');
        expect(real.spec).not.toHaveProperty('tolerations');
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
      }
    }),
    { numRuns: 300 },
  );
});
