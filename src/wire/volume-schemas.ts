import Type from 'typebox';
import { Count, Label, Message, Name, Reason, Uid } from './schemas.ts';

/** What a consumer and a provider say about volumes. */

/** Storage classes that a provider offers, the first one for who names none; bytes that may still be asked for. */
export const OfferedClasses = Type.Array(Type.Object({ name: Name, bytes: Count }), { maxItems: 16 });

/** The claims of a pod, and which ones they are. */
export const PodClaims = Type.Array(Type.Object({ name: Name, uid: Uid }), { maxItems: 64 });

const AccessMode = Type.Union([
  Type.Literal('ReadWriteOnce'),
  Type.Literal('ReadOnlyMany'),
  Type.Literal('ReadWriteMany'),
  Type.Literal('ReadWriteOncePod'),
]);

export const VolumeRequest = Type.Object({
  namespace: Label,
  name: Name,
  bytes: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  accessModes: Type.Array(AccessMode, { minItems: 1, maxItems: 4 }),
  volumeMode: Type.Union([Type.Literal('Filesystem'), Type.Literal('Block')]),
  class: Type.Optional(Name),
});

export const VolumeAnswer = Type.Union([
  Type.Object({ state: Type.Literal('Bound'), bytes: Count }),
  Type.Object({ state: Type.Literal('Pending'), message: Message }),
  Type.Object({
    state: Type.Literal('Refused'),
    kind: Type.Union([Type.Literal('room'), Type.Literal('policy'), Type.Literal('later')]),
    reason: Reason,
    message: Message,
  }),
]);
