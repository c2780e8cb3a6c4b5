import { createHash } from 'node:crypto';
import {
  ORIGIN_NAMESPACE_ANNOTATION,
  ORIGIN_NODE_ANNOTATION,
  ORIGIN_SERVICE_ACCOUNT_ANNOTATION,
  ORIGIN_UID_ANNOTATION,
  OWN_FACT_PREFIX,
} from '../labels.ts';
import type { ShadowPod } from './shadow-pod.ts';

/**
 * What a pod asks of itself by the downward API, answered as at home: each answer is an annotation of the real pod, which the
 * kubelet reads instead. So the real pod's own labels and annotations can be others than those that its owner gave, and a change of
 * those is seen in files as it is at home.
 */

export interface FieldRef {
  fieldPath: string;
  apiVersion?: string;
}

/** Those that every pod has, whether it asks or not. */
export function standingFacts({ spec }: ShadowPod): Record<string, string> {
  return {
    [ORIGIN_NAMESPACE_ANNOTATION]: spec.originNamespace,
    [ORIGIN_UID_ANNOTATION]: spec.originUID,
    [ORIGIN_NODE_ANNOTATION]: spec.virtualNode,
    [ORIGIN_SERVICE_ACCOUNT_ANNOTATION]: accountOf(spec.pod.spec.serviceAccountName),
  };
}

/** What is no text, which another member may send, is no account. */
function accountOf(name: unknown): string {
  return typeof name === 'string' ? name : 'default';
}

/** Answers that were asked for while a pod was translated. */
export class OwnFacts {
  readonly #shadow: ShadowPod;
  readonly #asked: Record<string, string> = {};

  constructor(shadow: ShadowPod) {
    this.#shadow = shadow;
  }

  /** Annotations of the real pod. */
  get annotations(): Record<string, string> {
    return { ...standingFacts(this.#shadow), ...this.#asked };
  }

  /** The reference from which a kubelet gets the answer of the pod's home. */
  redirect(ref: FieldRef): FieldRef {
    const standing = Object.hasOwn(STANDING, ref.fieldPath) ? STANDING[ref.fieldPath] : undefined;
    if (standing !== undefined) return at(ref, standing);
    const answer = this.#answer(ref.fieldPath);
    if (answer === undefined) return ref;
    const annotation = `${OWN_FACT_PREFIX}${createHash('sha256').update(ref.fieldPath).digest('hex').slice(0, 12)}`;
    this.#asked[annotation] = answer;
    return at(ref, annotation);
  }

  /** Undefined for what is the same on both sides, or known to the provider's kubelet alone. */
  #answer(path: string): string | undefined {
    const { spec } = this.#shadow;
    const { labels = {}, annotations = {} } = spec.pod.metadata;
    switch (path) {
      case 'metadata.labels':
        return formatMap(withoutOwnZone(labels, spec.virtualNode));
      case 'metadata.annotations':
        return formatMap(annotations);
      // The provider's own address is nobody's business; a former home does not say the one that it shows.
      case 'status.hostIP':
      case 'status.hostIPs':
        return spec.hostIP ?? '';
    }
    const [, map, key = ''] = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path) ?? [];
    if (map === undefined || key.startsWith(KUBELET_PREFIX)) return undefined;
    const of = map === 'labels' ? labels : annotations;
    return Object.hasOwn(of, key) ? (of[key] ?? '') : '';
  }
}

/** Each virtual node is a zone of its own, which the home's API server writes onto pods there: nothing that their owner gave them. */
function withoutOwnZone(labels: Record<string, string>, virtualNode: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).filter(([name, value]) => name !== 'topology.kubernetes.io/zone' || value !== virtualNode),
  );
}

/** The downward API's paths that have an annotation on every pod. */
const STANDING: Readonly<Record<string, string>> = {
  'metadata.namespace': ORIGIN_NAMESPACE_ANNOTATION,
  'metadata.uid': ORIGIN_UID_ANNOTATION,
  'spec.nodeName': ORIGIN_NODE_ANNOTATION,
  'spec.serviceAccountName': ORIGIN_SERVICE_ACCOUNT_ANNOTATION,
};

/** Annotations that a kubelet keeps in memory for the pods that it runs (config.seen, config.source). */
const KUBELET_PREFIX = 'kubernetes.io/config.';

function at(ref: FieldRef, annotation: string): FieldRef {
  return { ...ref, fieldPath: `metadata.annotations['${annotation}']` };
}

/** As a kubelet writes all labels into one file (pkg/fieldpath FormatMap): sorted, values quoted as Go does. */
export function formatMap(map: Readonly<Record<string, string>>): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${quote(String(map[key]))}`)
    .join('\n');
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

/** Go's strconv.Quote. */
function quote(text: string): string {
  const quoted = Array.from(text, (character) => {
    const escaped = ESCAPES[character];
    if (escaped !== undefined) return escaped;
    if (/^[ \p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character)) return character;
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
    return code < 0x1_0000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  });
  return `"${quoted.join('')}"`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
