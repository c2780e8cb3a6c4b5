import type { ResourceList } from '../kube-objects.ts';

/** What a provider's owner lets pods of other members have here (`spec.guests` and `spec.podSecurityLevel` of the Federation). */
export interface GuestTerms {
  podSecurityLevel: string;
  /** Annotations with a prefix that reach the real pod besides those of `ALWAYS_TAKEN`: names, or beginnings that end with `*`. */
  annotations: readonly string[];
  /** Names of RuntimeClasses of this cluster that they may ask for. */
  runtimeClasses: readonly string[];
  /** A pod with a field that this version does not know is refused, or runs without the field. */
  unknownFields: 'Refuse' | 'Drop';
  /** `Always`: each start asks the registry, so that no image is read that only this node has. */
  imagePulls: 'AsAsked' | 'Always';
  /** Containers keep the capability NET_RAW, with which they can forge addresses. */
  netRaw: boolean;
  /** Longest time (s) between a deletion and the end of a pod. */
  maxGraceSeconds: number;
  /** What a container gets of cpu, memory and ephemeral-storage that asks for none; a resource that is missing has no bound. */
  containerLimits: ResourceList;
}

export const DEFAULT_TERMS: GuestTerms = {
  podSecurityLevel: 'baseline',
  annotations: [],
  runtimeClasses: [],
  unknownFields: 'Refuse',
  imagePulls: 'AsAsked',
  netRaw: false,
  maxGraceSeconds: 120,
  containerLimits: { cpu: '1', memory: '256Mi', 'ephemeral-storage': '1Gi' },
};

/** The part of a Federation's spec that says it; the API server has checked it by the CRD. */
export interface GuestSettings {
  podSecurityLevel?: string;
  guests?: Partial<Pick<GuestTerms, 'annotations' | 'runtimeClasses' | 'unknownFields' | 'imagePulls' | 'netRaw'>> & {
    maxGracePeriodSeconds?: number;
    containerLimits?: Record<string, string | number>;
  };
}

/** @param resources those that a real node here has: nothing else can be given */
export function guestTermsOf(settings: GuestSettings, resources: ReadonlySet<string>): GuestTerms {
  const { guests = {}, podSecurityLevel = DEFAULT_TERMS.podSecurityLevel } = settings;
  const { maxGracePeriodSeconds, containerLimits, ...rest } = guests;
  const limits = Object.entries({ ...DEFAULT_TERMS.containerLimits, ...containerLimits })
    // Zero says that there is no bound.
    .filter(([name, amount]) => resources.has(name) && !/^0+[a-zA-Z]*$/.test(String(amount)))
    .map(([name, amount]) => [name, String(amount)]);
  return {
    ...DEFAULT_TERMS,
    ...rest,
    podSecurityLevel,
    maxGraceSeconds: maxGracePeriodSeconds ?? DEFAULT_TERMS.maxGraceSeconds,
    containerLimits: Object.fromEntries(limits) as ResourceList,
  };
}
