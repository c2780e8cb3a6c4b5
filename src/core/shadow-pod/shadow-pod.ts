import type { ConsumerLost, Fencing, PodSubmission, RefusalKind } from '../exchange/pod-submission.ts';
import type { PodClaim } from '../exchange/volume.ts';
import type { KubeObject, Pod, PodStatus } from '../kube-objects.ts';
import {
  MANAGED_BY,
  MANAGED_BY_LABEL,
  OBJECT_NAMES_ANNOTATION,
  ORIGIN_CLUSTER_LABEL,
  ORIGIN_NAMESPACE_LABEL,
  ORIGIN_UID_LABEL,
  OWN_OBJECT_NAMES,
} from '../labels.ts';
import { twinNamespaceName } from './twin-namespace.ts';

/** The wanted pod on the provider (kind ShadowPod). */
export interface ShadowPod extends KubeObject {
  spec: {
    originCluster: string;
    originNamespace: string;
    originName: string;
    originUID: string;
    virtualNode: string;
    /** The address of that node, which the pod shows at home as that of its host; undefined from members of former versions. */
    hostIP?: string;
    /** The consumer's pod, untranslated. */
    pod: Pod;
    /** Stop it when its home has been out of contact for this long. */
    fencing?: Fencing;
    /** End it when its home has been out of contact for this long. */
    consumerLost?: ConsumerLost;
    /** The claims that its volumes name, and which ones they are. */
    claims?: PodClaim[];
  };
  status?: ShadowPodStatus;
}

export interface ShadowPodStatus {
  phase?: string;
  /** UID of the pod that was made from it; once set, a missing pod is never made again. */
  podUID?: string;
  /** Why the provider ends the pod by itself; written before it does. */
  stopping?: { reason: string; message: string };
  /** The pod with UID `of` was removed while its home was out of contact, and another one was made of it. */
  madeAgain?: { of: string; why: string; at: string };
  /** The last status of a pod that ended or vanished; final. */
  terminal?: PodStatus;
  refusal?: { kind: RefusalKind; reason: string; message: string };
}

/** The shadow pod of a submission; it has the name of the pod. @param twin the namespace for it */
export function toShadowPod(cluster: string, submission: PodSubmission, twin?: string): ShadowPod {
  const { pod, virtualNode, hostIP, fencing, consumerLost, claims = [] } = submission;
  const { name, namespace = '', uid = '' } = pod.metadata;
  // A pod is made without debuggers; they follow as a change of it.
  const { ephemeralContainers: _, ...spec } = pod.spec;
  return {
    metadata: {
      name,
      namespace: twin ?? twinNamespaceName({ cluster, namespace }),
      labels: {
        [MANAGED_BY_LABEL]: MANAGED_BY,
        [ORIGIN_CLUSTER_LABEL]: cluster,
        [ORIGIN_NAMESPACE_LABEL]: namespace,
        [ORIGIN_UID_LABEL]: uid,
      },
      annotations: { [OBJECT_NAMES_ANNOTATION]: OWN_OBJECT_NAMES },
    },
    spec: {
      originCluster: cluster,
      originNamespace: namespace,
      originName: name,
      originUID: uid,
      virtualNode,
      ...(hostIP === undefined ? {} : { hostIP }),
      pod: { metadata: pod.metadata, spec },
      ...(fencing === undefined ? {} : { fencing: { afterSeconds: fencing.afterSeconds } }),
      ...(consumerLost === undefined ? {} : { consumerLost: { stopAfterSeconds: consumerLost.stopAfterSeconds } }),
      ...(claims.length === 0 ? {} : { claims: claims.map(({ name: claim, uid: of }) => ({ name: claim, uid: of })) }),
    },
  };
}

/**
 * What everything that is kept about a pod of a peer is kept by: its UID is the word of one member, which may say the same as another
 * one; two clusters made from one snapshot do.
 */
export function guestKey(cluster: string, uid: string): string {
  return `${cluster}/${uid}`;
}

export function guestKeyOf({ spec }: ShadowPod): string {
  return guestKey(spec.originCluster, spec.originUID);
}

/** The guest that a pod of this cluster is; undefined for one that is none. */
export function guestKeyOfPod({ metadata: { labels = {} } }: Pod): string | undefined {
  const { [ORIGIN_CLUSTER_LABEL]: cluster, [ORIGIN_UID_LABEL]: uid } = labels;
  return cluster === undefined || uid === undefined ? undefined : guestKey(cluster, uid);
}

/** Whether a pod was made from this shadow pod, and not from a former one of its name. */
export function isPodOf(pod: Pod, shadow: ShadowPod): boolean {
  return guestKeyOfPod(pod) === guestKeyOf(shadow);
}

/** The shadow pods whose gate asks by this UID: the one that has it, or, as earlier versions made them, those of consumers' pods. */
export function gatedBy(uid: string, shadows: readonly ShadowPod[]): ShadowPod[] {
  const own = shadows.filter(({ metadata }) => metadata.uid === uid);
  return own.length > 0 ? own : shadows.filter(({ spec }) => spec.originUID === uid);
}
