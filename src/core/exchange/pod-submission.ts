import type { ConfigObject, Pod, PodStatus } from '../kube-objects.ts';
import { plainLine, plainReason } from '../plain-text.ts';
import type { SentService, ServiceAddresses } from '../service/sent-service.ts';
import type { PodClaim } from './volume.ts';

/** A pod that a consumer sends to a provider, with all that it references. */
export interface PodSubmission {
  /** As the consumer's API server has it; unknown fields kept, status left out. */
  pod: Pod;
  /** The virtual node it is bound to on the consumer. */
  virtualNode: string;
  /** The address that the pod shows as that of its host on the consumer. */
  hostIP?: string;
  /** ConfigMaps and Secrets that the pod references (and, made by the agent, its service account tokens). */
  objects: ConfigObject[];
  /** Those of its objects that were sent before, since all together were too large for one message. */
  ahead?: { kind: ConfigObject['kind']; name: string }[];
  /** All Services of the pod's namespace: they are there before it starts. */
  services?: SentService[];
  /** The addresses that they have at home, by their names. */
  serviceAddresses?: ServiceAddresses;
  /** Stop the pod when its home has been out of contact for this long. */
  fencing?: Fencing;
  /** End the pod when its home has been out of contact for this long; undefined: it goes on. */
  consumerLost?: ConsumerLost;
  /** The claims that its volumes name, and which ones they are. */
  claims?: PodClaim[];
}

export interface Fencing {
  afterSeconds: number;
}

export interface ConsumerLost {
  stopAfterSeconds: number;
}

/** Why a provider says no. `room`: try elsewhere. `policy`: the pod can never run there as it is. `later`: try again here. */
export type RefusalKind = 'room' | 'policy' | 'later';

/** The provider's answer to a submission. Submitting the same pod (UID) again is harmless and says the same. */
export type PodVerdict = { accepted: true } | { accepted: false; kind: RefusalKind; reason: string; message: string };

/** Of a pod that is too large to be sent, whatever goes ahead. @param maxBytes of a message */
export function refusalOfSize(submission: PodSubmission, maxBytes: number): Extract<PodVerdict, { accepted: false }> {
  const bytes = Buffer.byteLength(JSON.stringify(submission));
  const [has, may] = [bytes, maxBytes].map((one) => (one / 1024 / 1024).toFixed(1));
  const message = `the pod is too large to be offloaded: with the ConfigMaps and Secrets that it names it has ${has} MiB, and ${may} MiB are sent to that member in one message; let it name less, or run at home`;
  return { accepted: false, kind: 'policy', reason: 'TooLarge', message };
}

const REFUSAL_KINDS: readonly unknown[] = ['room', 'policy', 'later'] satisfies RefusalKind[];

/** The answer of another member, which may be anything: what is no verdict counts as one that may change. */
export function toVerdict(answer: unknown): PodVerdict {
  const { accepted, kind, reason, message } = (typeof answer === 'object' && answer !== null ? answer : {}) as Record<
    string,
    unknown
  >;
  if (accepted === true) return { accepted };
  if (accepted !== false || !REFUSAL_KINDS.includes(kind))
    return {
      accepted: false,
      kind: 'later',
      reason: 'InvalidAnswer',
      message: 'the provider gave an answer to the pod that is no verdict; see whether its version of headcut fits',
    };
  return {
    accepted,
    kind: kind as RefusalKind,
    reason: plainReason(typeof reason === 'string' ? reason : ''),
    message: plainLine(typeof message === 'string' ? message : ''),
  };
}

/** An event about an offloaded pod that its owner should see (image pull failures, failed mounts…). */
export interface PodEvent {
  /** Unique and stable for one event on the provider. */
  id: string;
  type: string;
  reason: string;
  message: string;
  count: number;
  lastTimestamp: string;
}

/** The state of one offloaded pod on the provider. */
export interface RemotePod {
  /** UID of the pod on the consumer. */
  uid: string;
  /** Namespace and name on the consumer. */
  namespace: string;
  name: string;
  /** As the provider's API server has it, with the provider's own addresses; undefined before the pod exists there. */
  status?: PodStatus;
  /** True once the provider was told to delete it. */
  deleting: boolean;
  /** The provider stops it when its home is out of contact. */
  fencing?: Fencing;
  /** `changesDigest` of the pod as it runs there; undefined before it exists, and from members that take no changes. */
  digest?: string;
  /** A refusal after the pod was admitted (not schedulable, rejected by the API server). */
  refusal?: { kind: RefusalKind; reason: string; message: string };
  /** The latest few events of the pod, oldest first. */
  events?: PodEvent[];
}
