import { plainLine, plainReason } from '../plain-text.ts';

/** What a consumer asks a provider for: a volume for one of its claims. */
export interface VolumeRequest {
  /** Namespace and name of the claim at home. */
  namespace: string;
  name: string;
  bytes: number;
  accessModes: AccessMode[];
  volumeMode: 'Filesystem' | 'Block';
  /** Name of a class that the provider offers; undefined: the first that it offers. */
  class?: string;
}

export type AccessMode = 'ReadWriteOnce' | 'ReadOnlyMany' | 'ReadWriteMany' | 'ReadWriteOncePod';

export const ACCESS_MODES: readonly AccessMode[] = [
  'ReadWriteOnce',
  'ReadOnlyMany',
  'ReadWriteMany',
  'ReadWriteOncePod',
];

/** The provider's answer, whose kinds of refusal are those of pods. The same request again is harmless, and tells how far it is. */
export type VolumeAnswer =
  | { state: 'Bound'; bytes: number }
  /** `message`: what its provisioner says. */
  | { state: 'Pending'; message: string }
  | { state: 'Refused'; kind: 'room' | 'policy' | 'later'; reason: string; message: string };

/** The answer of another member, with texts that are plain. */
export function takenAnswer(answer: VolumeAnswer): VolumeAnswer {
  switch (answer.state) {
    case 'Bound':
      return answer;
    case 'Pending':
      return { ...answer, message: plainLine(answer.message) };
    case 'Refused':
      return { ...answer, reason: plainReason(answer.reason), message: plainLine(answer.message) };
  }
}

/** A storage class that a provider offers to one peer, and how much it may still ask for of it. */
export interface OfferedClass {
  name: string;
  bytes: number;
}

/** A claim of a pod, and which one it is: a name may be given twice. */
export interface PodClaim {
  name: string;
  uid: string;
}
