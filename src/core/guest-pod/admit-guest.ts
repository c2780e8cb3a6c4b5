import type { Pod, PodSpec } from '../kube-objects.ts';
import { admit } from './field-rule.ts';
import { GUEST_SPEC } from './guest-fields.ts';
import type { GuestTerms } from './guest-terms.ts';

/** As many problems as a message names. */
const MAX_PROBLEMS = 8;

/** The spec, built anew of the fields that may pass. What is refused is missing in it. */
export function guestSpec(spec: PodSpec, terms: GuestTerms): PodSpec {
  const { value } = admit(GUEST_SPEC, spec, '', { terms, refuseUnknown: false });
  // Without any, which an API server says no to.
  return { containers: [], ...(value as Partial<PodSpec> | undefined) };
}

/** Why the pod cannot run on a provider with these terms, each a part of a sentence; empty when it can. */
export function guestProblems(pod: Pod, terms: GuestTerms): string[] {
  const { problems } = admit(GUEST_SPEC, pod.spec, '', { terms, refuseUnknown: terms.unknownFields === 'Refuse' });
  const all = [...problems, ...annotationProblems(pod.metadata.annotations ?? {})];
  return all.length <= MAX_PROBLEMS
    ? all
    : [...all.slice(0, MAX_PROBLEMS - 1), `${all.length - MAX_PROBLEMS + 1} things more`];
}

/** How pods named an AppArmor profile before they had a field for it. */
const APP_ARMOR = 'container.apparmor.security.beta.kubernetes.io/';
/** What a guest's annotations may say to kubelets and tools; others with a prefix speak to controllers, of the home or of here. */
const ALWAYS_TAKEN = [`${APP_ARMOR}*`, 'kubectl.kubernetes.io/default-container'];

/** Annotations that reach the real pod. */
export function guestAnnotations(pod: Pod, terms: GuestTerms): Record<string, string> {
  const patterns = [...ALWAYS_TAKEN, ...terms.annotations];
  return Object.fromEntries(
    Object.entries(pod.metadata.annotations ?? {}).filter(
      ([name]) => isPrivate(name) || patterns.some((one) => matches(name, one)),
    ),
  );
}

function annotationProblems(annotations: Record<string, string>): string[] {
  return Object.entries(annotations)
    .filter(
      ([name, value]) => name.startsWith(APP_ARMOR) && typeof value === 'string' && value.startsWith('localhost/'),
    )
    .map(([name]) => `container ${name.slice(APP_ARMOR.length)} uses an AppArmor profile that lies on its node`);
}

/** Names without a prefix are private to users: what Kubernetes and others read has one. */
function isPrivate(name: string): boolean {
  return !name.includes('/');
}

/** @param pattern a name, or the beginning of names with `*` after it */
function matches(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
