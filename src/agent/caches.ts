import type { KubeObject, Node, Pod } from '../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../core/labels.ts';
import { JOIN_LABEL } from '../core/membership/join-secrets.ts';
import type { FederationObject, PeerObject } from '../core/membership/peer-object.ts';
import type { EndpointSlice, Service } from '../core/service/service-objects.ts';
import type { ShadowPod } from '../core/shadow-pod/shadow-pod.ts';
import { SHARE_ANNOTATION } from '../core/sharing/sharing-objects.ts';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../core/volume/volume-objects.ts';
import type { KubeClient } from '../kube/client.ts';
import { Reflector } from '../kube/reflector.ts';
import {
  ENDPOINT_SLICES,
  FEDERATIONS,
  NAMESPACES,
  NODES,
  OFFLOADINGS,
  PEERS,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  SECRETS,
  SERVICES,
  SHADOW_PODS,
  STORAGE_CLASSES,
} from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { JoinSecret } from './joining/join-requests.ts';

/** The agent's caches of its own cluster: each kind is watched once. */
export type Caches = ReturnType<typeof createCaches>;

export function createCaches(deps: { client: KubeClient; namespace: string; clock: Clock; logger: Logger }) {
  const { namespace, ...common } = deps;
  return {
    pods: new Reflector<Pod>({ ...common, type: PODS }),
    nodes: new Reflector<Node>({ ...common, type: NODES, slim: withoutImages }),
    peers: new Reflector<PeerObject>({ ...common, type: PEERS }),
    federations: new Reflector<FederationObject>({ ...common, type: FEDERATIONS }),
    shadowPods: new Reflector<ShadowPod>({ ...common, type: SHADOW_PODS }),
    namespaces: new Reflector<KubeObject>({ ...common, type: NAMESPACES, slim: withoutAnnotations }),
    offloadings: new Reflector<KubeObject>({ ...common, type: OFFLOADINGS }),
    claims: new Reflector<PersistentVolumeClaim>({ ...common, type: PERSISTENT_VOLUME_CLAIMS }),
    volumes: new Reflector<PersistentVolume>({ ...common, type: PERSISTENT_VOLUMES }),
    storageClasses: new Reflector<StorageClass>({ ...common, type: STORAGE_CLASSES }),
    /** Our copies of peers' Services, in twin namespaces. */
    mirrors: new Reflector<Service>({ ...common, type: SERVICES, labelSelector: ORIGIN_CLUSTER_LABEL }),
    mirrorSlices: new Reflector<EndpointSlice>({
      ...common,
      type: ENDPOINT_SLICES,
      labelSelector: ORIGIN_CLUSTER_LABEL,
    }),
    /** The agent's own Services. */
    ownServices: new Reflector<Service>({ ...common, type: SERVICES, namespace }),
    joins: new Reflector<JoinSecret>({ ...common, type: SECRETS, namespace, labelSelector: JOIN_LABEL }),
  };
}

/** What is asked of a namespace is how it is labelled, and what it shares. */
function withoutAnnotations({ metadata }: KubeObject): KubeObject {
  const { annotations = {}, ...rest } = metadata;
  const share = annotations[SHARE_ANNOTATION];
  return { metadata: share === undefined ? rest : { ...rest, annotations: { [SHARE_ANNOTATION]: share } } };
}

/** The list of images is the largest part of a Node, and nothing of ours. */
function withoutImages(node: Node): Node {
  if (node.status !== undefined) delete node.status.images;
  return node;
}
