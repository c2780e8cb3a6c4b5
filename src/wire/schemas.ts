import Type, { type TSchema } from 'typebox';
import { LABEL_VALUE_PATTERN } from '../core/kube-names.ts';

/** What texts and numbers between members may look like. Whatever is not here is bounded by the size of its message alone. */

export const MIB = 1024 * 1024;

/** Keys match `key` wholly; others are refused, and no value goes unchecked. */
export function mapOf<V extends TSchema>(key: string, value: V, maxProperties: number) {
  return Type.Record(Type.String({ pattern: key }), value, { maxProperties, additionalProperties: false });
}

/** JSON of Kubernetes: the fields that are read here are described, all others pass as they are. */
export function kubernetesObject<T>(described: TSchema) {
  return Type.Unsafe<T>(described);
}

export const Text = Type.String({ maxLength: 1024 });
/** For people: a reason why, or what an event says. */
export const Message = Type.String({ maxLength: 32_768 });
/** Of a Kubernetes object. */
export const Name = Type.String({ minLength: 1, maxLength: 253 });
export const Uid = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9-]+$' });
/** A DNS label: names of namespaces, Services and members. */
export const Label = Type.String({ minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$' });
/** A machine-readable reason, as in conditions and events. */
export const Reason = Type.String({ maxLength: 1024 });
/** The fingerprint of a member's first key. */
export const MemberId = Type.String({ pattern: '^[a-z2-7]{52}$' });
export const Digest = Type.String({ maxLength: 64 });
/** Milliseconds since 1970 that a date can be made of. */
export const Timestamp = Type.Number({ minimum: 0, maximum: 8.64e15 });
export const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** A label's or annotation's key, with its prefix. */
export const QUALIFIED_NAME = '^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$';
export const Labels = mapOf(QUALIFIED_NAME, Type.String({ maxLength: 63, pattern: LABEL_VALUE_PATTERN }), 200);

/** An amount of a resource: no sign, since nobody has less than nothing, and a power of ten within ±18, as the suffixes have. */
export const Quantity = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: '^([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?0*(1[0-8]|[0-9]))?$',
});
export const Quantities = mapOf(QUALIFIED_NAME, Quantity, 200);

/** Seconds in which a pod may end; what is longer than the provider lets it be is cut there. */
export const MAX_GRACE_SECONDS = 2_147_483_647;
export const GraceSeconds = Type.Integer({ minimum: 0, maximum: MAX_GRACE_SECONDS });

export const Empty = Type.Object({});
