import { CodedError } from '../coded-error.ts';
import { asksClusterDns, toPodDns } from '../dns/pod-dns.ts';
import type {
  Container,
  DownwardItem,
  EnvVar,
  Pod,
  PodSpec,
  ProjectedSource,
  Toleration,
  Volume,
} from '../kube-objects.ts';
import {
  MANAGED_BY,
  MANAGED_BY_LABEL,
  ORIGIN_CLUSTER_LABEL,
  ORIGIN_NAMESPACE_ANNOTATION,
  ORIGIN_NAMESPACE_LABEL,
  ORIGIN_NODE_ANNOTATION,
  ORIGIN_SERVICE_ACCOUNT_ANNOTATION,
  ORIGIN_UID_ANNOTATION,
  ORIGIN_UID_LABEL,
  RESERVED_PREFIX,
} from '../labels.ts';
import { reflectedName } from '../reflection/reflected-name.ts';
import { NO_CREDENTIALS, tokenKey, tokenSecretName } from '../reflection/reflected-object.ts';
import { withRenamedReferences } from '../reflection/renamed-references.ts';
import { hasOwnObjectNames, objectNamesOf } from './shadow-objects.ts';
import type { ShadowPod } from './shadow-pod.ts';
import { gateContainer } from './start-gate.ts';

/**
 * Fields of a pod spec that speak of the consumer's nodes, scheduler, priorities or accounts and mean nothing, or something
 * else, on the provider. Everything that is not named here or below goes through as it is, fields we do not know included.
 */
const HOME_ONLY_FIELDS = [
  'nodeName',
  'nodeSelector',
  'affinity',
  'topologySpreadConstraints',
  'schedulerName',
  'schedulingGates',
  'priority',
  'priorityClassName',
  'preemptionPolicy',
  'serviceAccount',
  'ephemeralContainers',
] as const;

/** Annotations that hold the pod's whole manifest or belong to controllers of the consumer. */
const DROPPED_ANNOTATIONS = new Set(['kubectl.kubernetes.io/last-applied-configuration']);

/** The downward API's fields whose answer differs on the provider, and the annotation that has the consumer's answer. */
const REDIRECTED_FIELDS: Record<string, string> = {
  'metadata.namespace': ORIGIN_NAMESPACE_ANNOTATION,
  'metadata.uid': ORIGIN_UID_ANNOTATION,
  'spec.nodeName': ORIGIN_NODE_ANNOTATION,
  'spec.serviceAccountName': ORIGIN_SERVICE_ACCOUNT_ANNOTATION,
};

/** Keeps pods off the provider's own virtual nodes: an offloaded pod is not offloaded again. */
const NOT_ON_VIRTUAL_NODES = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] }] }],
    },
  },
};

/** What the provider has for offloaded pods, so that names and the API server of their home are the same as there. */
export interface PodSurroundings {
  /** Addresses of the agent's Services for offloaded pods. */
  nameserver: string;
  /** Undefined where it is not offered. */
  homeApi: string | undefined;
  clusterDomain: string;
  /** The agent's own image, for the gate of fenced pods; undefined while it is not known. */
  image?: string | undefined;
}

/** The pod that the provider's agent makes from a shadow pod. Deterministic. */
export function translatePod(shadow: ShadowPod, surroundings: PodSurroundings): Pod {
  const { pod, originCluster, originNamespace, originUID, virtualNode } = shadow.spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: shadow.metadata.name,
      namespace: shadow.metadata.namespace ?? '',
      labels: {
        ...withoutReserved(pod.metadata.labels),
        [MANAGED_BY_LABEL]: MANAGED_BY,
        [ORIGIN_CLUSTER_LABEL]: originCluster,
        [ORIGIN_NAMESPACE_LABEL]: originNamespace,
        [ORIGIN_UID_LABEL]: originUID,
      },
      annotations: {
        ...withoutReserved(pod.metadata.annotations),
        [ORIGIN_NAMESPACE_ANNOTATION]: originNamespace,
        [ORIGIN_UID_ANNOTATION]: originUID,
        [ORIGIN_NODE_ANNOTATION]: virtualNode,
        [ORIGIN_SERVICE_ACCOUNT_ANNOTATION]: pod.spec.serviceAccountName ?? 'default',
      },
      ...(shadow.metadata.uid === undefined ? {} : { ownerReferences: [ownerReference(shadow, shadow.metadata.uid)] }),
    },
    spec: translateSpec(shadow, surroundings),
  };
}

/** The real pod with the debuggers that its owner attached; they are no part of a pod when it is made. */
export function translateWithDebuggers(shadow: ShadowPod, surroundings: PodSurroundings): Pod {
  const pod = translatePod(shadow, surroundings);
  // By the names of this version also in pods of an earlier one.
  const { ephemeralContainers } = withRenamedReferences(shadow.spec.pod.spec, reflectedName);
  if (ephemeralContainers === undefined) return pod;
  const debuggers = ephemeralContainers.map((container) => toContainer(container, surroundings));
  return { ...pod, spec: { ...pod.spec, ephemeralContainers: debuggers } };
}

function ownerReference(shadow: ShadowPod, uid: string) {
  return { apiVersion: 'headcut.dev/v1alpha1', kind: 'ShadowPod', name: shadow.metadata.name, uid, controller: true };
}

function translateSpec(shadow: ShadowPod, surroundings: PodSurroundings): PodSpec {
  const { originUID: originUid, originNamespace: namespace, fencing } = shadow.spec;
  const spec = withRenamedReferences(shadow.spec.pod.spec, objectNamesOf(shadow));
  const kept: PodSpec = { ...spec };
  for (const field of HOME_ONLY_FIELDS) delete kept[field];
  const { volumes, tolerations } = spec;
  const initContainers = [
    ...(fencing === undefined ? [] : [gateContainer(spec, shadow.metadata.uid ?? originUid, gateNeeds(surroundings))]),
    ...(spec.initContainers ?? []).map((container) => toContainer(container, surroundings)),
  ];
  return {
    ...kept,
    ...(asksClusterDns(spec) ? toPodDns(spec, { namespace, ...surroundings }) : homeApiAlias(spec, surroundings)),
    containers: spec.containers.map((container) => toContainer(container, surroundings)),
    ...(initContainers.length === 0 ? {} : { initContainers }),
    ...(volumes === undefined ? {} : { volumes: volumes.map((volume) => translateVolume(volume, originUid)) }),
    ...(tolerations === undefined ? {} : { tolerations: tolerations.filter(isForeignToleration) }),
    ...(needsNoCredentials(shadow) ? { imagePullSecrets: [{ name: NO_CREDENTIALS }] } : {}),
    affinity: NOT_ON_VIRTUAL_NODES,
    serviceAccountName: 'default',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
  };
}

/** The API server gives the Secrets of the ServiceAccount to a pod that names none for pulling its images. */
export function needsNoCredentials(shadow: ShadowPod): boolean {
  return hasOwnObjectNames(shadow) && !shadow.spec.pod.spec.imagePullSecrets?.length;
}

function gateNeeds({ image, nameserver }: PodSurroundings): { image: string; nameserver: string } {
  if (image !== undefined) return { image, nameserver };
  throw new CodedError(
    'Unavailable',
    'the agent does not know its own image yet, of which fenced pods need a container',
  );
}

/** Tolerations of headcut's taints, and those for failing nodes, which the provider's own defaults replace. */
function isForeignToleration(toleration: Toleration): boolean {
  const key = toleration.key ?? '';
  return (
    !key.startsWith(RESERVED_PREFIX) &&
    key !== 'node.kubernetes.io/not-ready' &&
    key !== 'node.kubernetes.io/unreachable'
  );
}

/** The name under which every API server has a certificate; its address differs from cluster to cluster. */
const API_HOST = 'kubernetes.default.svc';
const API_PORT = '443';
/** What in-cluster clients read; a kubelet would fill in this cluster's own. */
const API_VARIABLES: EnvVar[] = [
  { name: 'KUBERNETES_SERVICE_HOST', value: API_HOST },
  { name: 'KUBERNETES_SERVICE_PORT', value: API_PORT },
  { name: 'KUBERNETES_SERVICE_PORT_HTTPS', value: API_PORT },
];

function toContainer(container: Container, surroundings: PodSurroundings): Container {
  return withHomeApi(translateContainer(container), surroundings);
}

/** Leads in-cluster clients to the API server of the pod's home. What the pod says itself counts. */
function withHomeApi(container: Container, { homeApi }: PodSurroundings): Container {
  if (homeApi === undefined) return container;
  const said = new Set(container.env?.map((variable) => variable.name));
  const added = API_VARIABLES.filter((variable) => !said.has(variable.name));
  return { ...container, env: [...added, ...(container.env ?? [])] };
}

/** Pods with a DNS of their own do not ask our nameserver: they find their home's API server in /etc/hosts. */
function homeApiAlias(spec: PodSpec, { homeApi, clusterDomain }: PodSurroundings): { hostAliases?: unknown[] } {
  if (homeApi === undefined) return {};
  const aliases = Array.isArray(spec.hostAliases) ? spec.hostAliases : [];
  return { hostAliases: [...aliases, { ip: homeApi, hostnames: [API_HOST, `${API_HOST}.${clusterDomain}`] }] };
}

function translateContainer(container: Container): Container {
  const { env } = container;
  return { ...container, ...(env === undefined ? {} : { env: env.map(translateVariable) }) };
}

function translateVariable(variable: EnvVar): EnvVar {
  const source = variable.valueFrom;
  if (!source?.fieldRef) return variable;
  return { ...variable, valueFrom: { ...source, fieldRef: redirected(source.fieldRef) } };
}

function translateVolume(volume: Volume, originUid: string): Volume {
  const { projected, downwardAPI } = volume;
  const sources = projected?.sources?.map((source, index) =>
    translateSource(source, { volume: volume.name, index, originUid }),
  );
  return {
    ...volume,
    ...(!downwardAPI ? {} : { downwardAPI: withRedirectedItems(downwardAPI) }),
    ...(projected === undefined || sources === undefined ? {} : { projected: { ...projected, sources } }),
  };
}

function translateSource(
  source: ProjectedSource,
  at: { volume: string; index: number; originUid: string },
): ProjectedSource {
  const { serviceAccountToken, ...rest } = source;
  if (serviceAccountToken) {
    const items = [{ key: tokenKey(at.volume, at.index), path: serviceAccountToken.path }];
    return { ...rest, secret: { name: tokenSecretName(at.originUid), items } };
  }
  return {
    ...source,
    ...(!source.downwardAPI ? {} : { downwardAPI: withRedirectedItems(source.downwardAPI) }),
  };
}

function withRedirectedItems<T extends { items?: DownwardItem[] }>(source: T): T {
  if (source.items === undefined) return source;
  return {
    ...source,
    items: source.items.map((item) =>
      item.fieldRef === undefined ? item : { ...item, fieldRef: redirected(item.fieldRef) },
    ),
  };
}

function redirected(fieldRef: { fieldPath: string; apiVersion?: string }): { fieldPath: string; apiVersion?: string } {
  const annotation = REDIRECTED_FIELDS[fieldRef.fieldPath];
  return annotation === undefined ? fieldRef : { ...fieldRef, fieldPath: `metadata.annotations['${annotation}']` };
}

function withoutReserved(map: Record<string, string> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map ?? {}).filter(([name]) => !name.startsWith(RESERVED_PREFIX) && !DROPPED_ANNOTATIONS.has(name)),
  );
}
