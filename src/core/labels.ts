/** Names of labels, annotations, taints and well-known objects of the API group headcut.dev. One place, so that they are said once. */

export const API_GROUP = 'headcut.dev';
export const API_VERSION = 'headcut.dev/v1alpha1';

/** Namespace label with which a user offloads a namespace. */
export const OFFLOAD_LABEL = 'headcut.dev/offload';

/** Node label of a virtual node: the ID of the peer that it stands for. */
export const PEER_LABEL = 'headcut.dev/peer';

/** Taint (NoSchedule) that every virtual node has; pods that can be offloaded tolerate it. */
export const VIRTUAL_NODE_TAINT = 'headcut.dev/virtual-node';

/** Taint (NoSchedule) that the agent sets after it saw the peer fail. What runs there is replaced by the agent, not by a taint. */
export const UNREACHABLE_TAINT = 'headcut.dev/unreachable';

/** Pod annotation (of a pod template): how long after the loss of its peer the pod is replaced, such as `30s`, or `Never`. */
export const FAILOVER_AFTER_ANNOTATION = 'headcut.dev/failover-after';

/** Pod annotations (of a pod template): whether the pod is fenced (`Required` or `None`), and after which time, such as `30s`. */
export const FENCING_ANNOTATION = 'headcut.dev/fencing';
export const FENCING_AFTER_ANNOTATION = 'headcut.dev/fencing-after';

/** On reflected objects, twin namespaces, shadow pods and their pods: where they come from. */
export const ORIGIN_CLUSTER_LABEL = 'headcut.dev/origin-cluster';
export const ORIGIN_NAMESPACE_LABEL = 'headcut.dev/origin-namespace';
export const ORIGIN_UID_LABEL = 'headcut.dev/origin-uid';

/** Pod annotations on the provider from which the downward API answers as at home. */
export const ORIGIN_NAMESPACE_ANNOTATION = 'headcut.dev/origin-namespace';
export const ORIGIN_UID_ANNOTATION = 'headcut.dev/origin-uid';
export const ORIGIN_NODE_ANNOTATION = 'headcut.dev/origin-node';
export const ORIGIN_SERVICE_ACCOUNT_ANNOTATION = 'headcut.dev/origin-service-account';

/** Shadow pod annotation: its pod names the reflected objects by `reflectedName`. Pods of earlier versions have none. */
export const OBJECT_NAMES_ANNOTATION = 'headcut.dev/object-names';
export const OWN_OBJECT_NAMES = 'Prefixed';

/** Prefix of pod annotations on the provider that hold other answers of the downward API, a hash of the question after it. */
export const OWN_FACT_PREFIX = 'headcut.dev/own-';

/** Annotation of our copy of a peer's Service: the address that the Service has there. */
export const HOME_ADDRESS_ANNOTATION = 'headcut.dev/home-address';

/** Label of EndpointSlices that the Multi-Cluster Services API names: the ID of the member whose pods they are. */
export const SOURCE_CLUSTER_LABEL = 'multicluster.kubernetes.io/source-cluster';

export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const MANAGED_BY = 'headcut';

/** Field manager of every server-side apply of the agent. */
export const FIELD_MANAGER = 'headcut';

/** Prefix of the names of virtual nodes: `headcut-NAME`. */
export const VIRTUAL_NODE_PREFIX = 'headcut-';

/** The TCP port on which members talk to each other. */
export const PEER_PORT = 7443;

/** Labels, annotations and taints below this prefix are headcut's own and never copied from a consumer's pod. */
export const RESERVED_PREFIX = 'headcut.dev/';
