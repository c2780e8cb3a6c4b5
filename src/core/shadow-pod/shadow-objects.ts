import type { PodSubmission } from '../exchange/pod-submission.ts';
import type { ConfigObject, Pod } from '../kube-objects.ts';
import { OBJECT_NAMES_ANNOTATION, OWN_OBJECT_NAMES } from '../labels.ts';
import {
  type ObjectReference,
  referencedByDebuggers,
  referencedObjects,
  referencedTokens,
} from '../reflection/references.ts';
import {
  formerReflectedName,
  type ReflectedNames,
  reflectedName,
  withHomeNames,
} from '../reflection/reflected-name.ts';
import {
  isTokenSecretName,
  NO_CREDENTIALS,
  type Twin,
  tokenSecretName,
  toReflectedObject,
} from '../reflection/reflected-object.ts';
import type { ShadowPod } from './shadow-pod.ts';

/** False for the shadow pods of versions that gave reflected objects the names that they have at home. */
export function hasOwnObjectNames({ metadata }: ShadowPod): boolean {
  return metadata.annotations?.[OBJECT_NAMES_ANNOTATION] === OWN_OBJECT_NAMES;
}

/** What the pod of a shadow pod calls the objects of its home. */
export function objectNamesOf(shadow: ShadowPod): ReflectedNames {
  return hasOwnObjectNames(shadow) ? reflectedName : formerReflectedName;
}

/** An object to keep in a twin namespace, and the shadow pod with which it goes. */
export interface WantedObject {
  object: ConfigObject;
  owner?: ShadowPod;
}

/**
 * What to keep of the objects that a consumer sent for one of its namespaces: those that its pods here reference, under the names
 * by which they do. The rest is not taken.
 * @param shadows all shadow pods in the twin namespace
 */
export function wantedObjects(sent: ConfigObject[], shadows: ShadowPod[], twin: Twin): WantedObject[] {
  const wanted = new Map<string, WantedObject>();
  for (const shadow of shadows) {
    const byReference = namesByReference(shadow);
    for (const object of sent) {
      const { kind, metadata } = object;
      for (const name of byReference.get(`${kind}/${metadata.name}`) ?? [])
        wanted.set(`${kind}/${name}`, { object: toReflectedObject(object, name, twin) });
      if (isTokensOf(shadow, object))
        wanted.set(`${kind}/${metadata.name}`, {
          object: toReflectedObject(object, metadata.name, twin),
          owner: shadow,
        });
    }
  }
  return [...wanted.values()];
}

/** What these shadow pods call objects of their home in the twin namespace. */
export function namesInTwin(references: readonly ObjectReference[], shadows: readonly ShadowPod[]): ObjectReference[] {
  const found = new Map<string, ObjectReference>();
  for (const shadow of shadows) {
    const names = namesByReference(shadow);
    for (const { kind, name: atHome } of references)
      for (const name of names.get(`${kind}/${atHome}`) ?? []) found.set(`${kind}/${name}`, { kind, name });
  }
  return [...found.values()];
}

/** What a pod references and was not sent, neither with it nor ahead of it: its home has no such object. */
export function absentFrom(
  { objects, ahead = [] }: Pick<PodSubmission, 'objects' | 'ahead'>,
  pod: Pick<Pod, 'spec'>,
): ObjectReference[] {
  const sent = [...objects.map(({ kind, metadata }) => ({ kind, name: metadata.name })), ...ahead];
  const there = new Set(sent.map(({ kind, name }) => `${kind}/${name}`));
  return referencedObjects(pod).filter(({ kind, name }) => !there.has(`${kind}/${name}`));
}

/** Tells which objects of a twin namespace are of use to these shadow pods. Tokens go with their pod. */
export function objectsInUse(shadows: readonly ShadowPod[]): (reference: ObjectReference) => boolean {
  const used = new Set<string>();
  for (const shadow of shadows) {
    const references = [...referencedObjects(shadow.spec.pod), ...referencedByDebuggers(shadow.spec.pod)];
    for (const { kind, name } of namesInTwin(references, [shadow])) used.add(`${kind}/${name}`);
  }
  return ({ kind, name }) => used.has(`${kind}/${name}`) || name === NO_CREDENTIALS || isTokenSecretName(name);
}

/** Names in the twin namespace by `kind/name` at home. */
function namesByReference(shadow: ShadowPod): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const add = (references: ObjectReference[], names: ReflectedNames): void => {
    for (const { kind, name } of references) {
      const here = names(kind, name);
      // By the former names a Secret of a user's and one of tokens could be the same.
      if (isTokenSecretName(here)) continue;
      found.set(`${kind}/${name}`, (found.get(`${kind}/${name}`) ?? new Set()).add(here));
    }
  };
  add(referencedObjects(shadow.spec.pod), objectNamesOf(shadow));
  add(referencedByDebuggers(shadow.spec.pod), reflectedName);
  return found;
}

function isTokensOf({ spec }: ShadowPod, { kind, metadata }: ConfigObject): boolean {
  return (
    kind === 'Secret' && metadata.name === tokenSecretName(spec.originUID) && referencedTokens(spec.pod).length > 0
  );
}

/**
 * What the provider's API server and kubelet say about a pod, in the words of its home: the names that its objects and its
 * namespace have there.
 */
export function inHomeWords(text: string, { metadata, spec }: ShadowPod): string {
  const said = withHomeNames(text, () =>
    [...referencedObjects(spec.pod), ...referencedByDebuggers(spec.pod)].map(({ name }) => name),
  );
  return metadata.namespace === undefined ? said : said.replaceAll(metadata.namespace, spec.originNamespace);
}

/** The same for all messages in a status. */
export function messagesInHomeWords<T>(value: T, shadow: ShadowPod): T {
  if (Array.isArray(value)) return value.map((one) => messagesInHomeWords(one, shadow)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([field, member]) => [
    field,
    field === 'message' && typeof member === 'string'
      ? inHomeWords(member, shadow)
      : messagesInHomeWords(member, shadow),
  ]);
  return Object.fromEntries(members) as T;
}
