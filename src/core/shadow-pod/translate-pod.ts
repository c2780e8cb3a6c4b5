import { CodedError } from '../coded-error.ts';
import { asksClusterDns, toPodDns } from '../dns/pod-dns.ts';
import { guestAnnotations, guestSpec } from '../guest-pod/admit-guest.ts';
import { tamedSpec } from '../guest-pod/guest-container.ts';
import { boundedSpec } from '../guest-pod/guest-limits.ts';
import { DEFAULT_TERMS, type GuestTerms } from '../guest-pod/guest-terms.ts';
import type { Container, EnvVar, Pod, PodSpec } from '../kube-objects.ts';
import {
  MANAGED_BY,
  MANAGED_BY_LABEL,
  ORIGIN_CLUSTER_LABEL,
  ORIGIN_NAMESPACE_LABEL,
  ORIGIN_UID_LABEL,
  RESERVED_PREFIX,
} from '../labels.ts';
import { reflectedName } from '../reflection/reflected-name.ts';
import { NO_CREDENTIALS } from '../reflection/reflected-object.ts';
import { withRenamedReferences } from '../reflection/renamed-references.ts';
import { withTwinClaims } from '../volume/pod-claims.ts';
import { hostsChange, wholeHostName, withHostsFile } from './hosts-file.ts';
import { asksOwnAddress, withOwnAddress } from './own-address.ts';
import { OwnFacts } from './own-facts.ts';
import { hasOwnObjectNames, objectNamesOf } from './shadow-objects.ts';
import type { ShadowPod } from './shadow-pod.ts';
import { gateContainer } from './start-gate.ts';
import { translateContainer, translateVolume } from './translate-sources.ts';

/** Holds the pod's whole manifest. */
const DROPPED_ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';

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
  /** The agent's own image, for the gate of fenced pods and of those with a subdomain; undefined while it is not known. */
  image?: string | undefined;
  /** How that is come by: as for the agent itself. */
  imagePullPolicy?: string | undefined;
  /** The node takes variables of containers from files. */
  variablesFromFiles?: boolean;
  /** What its owner lets guests have. */
  terms?: GuestTerms;
}

/** The pod that the provider's agent makes from a shadow pod. Deterministic. */
export function translatePod(shadow: ShadowPod, surroundings: PodSurroundings): Pod {
  return translate(shadow, surroundings, false);
}

/** The real pod with the debuggers that its owner attached; they are no part of a pod when it is made. */
export function translateWithDebuggers(shadow: ShadowPod, surroundings: PodSurroundings): Pod {
  return translate(shadow, surroundings, true);
}

function translate(shadow: ShadowPod, surroundings: PodSurroundings, debuggers: boolean): Pod {
  const { pod, originCluster, originNamespace, originUID } = shadow.spec;
  const { terms = DEFAULT_TERMS } = surroundings;
  const facts = new OwnFacts(shadow);
  const spec = translateSpec(shadow, { ...surroundings, terms, facts }, debuggers);
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
      annotations: { ...withoutReserved(guestAnnotations(pod, terms)), ...facts.annotations },
      ...(shadow.metadata.uid === undefined ? {} : { ownerReferences: [ownerReference(shadow, shadow.metadata.uid)] }),
    },
    spec,
  };
}

function ownerReference(shadow: ShadowPod, uid: string) {
  return { apiVersion: 'headcut.dev/v1alpha1', kind: 'ShadowPod', name: shadow.metadata.name, uid, controller: true };
}

interface Translation extends PodSurroundings {
  terms: GuestTerms;
  facts: OwnFacts;
}

function translateSpec(shadow: ShadowPod, translation: Translation, debuggers: boolean): PodSpec {
  const { originUID: originUid, originName, originNamespace: namespace, fencing } = shadow.spec;
  const { terms, facts } = translation;
  const own = shadow.spec.pod.spec;
  const allowed = boundedSpec(tamedSpec(guestSpec(own, terms), terms), terms.containerLimits);
  const twin = shadow.metadata.namespace ?? '';
  const of = { name: originName, namespace, twin, clusterDomain: translation.clusterDomain };
  const hosts = hostsChange(own, of);
  const renamed = withTwinClaims(withRenamedReferences(allowed, objectNamesOf(shadow)), shadow.spec.claims);
  const address =
    translation.variablesFromFiles === true && asksOwnAddress(renamed, shadow.spec.pod.metadata.annotations);
  const addressed = address ? withOwnAddress(renamed) : renamed;
  const spec = hosts === undefined ? addressed : withHostsFile(addressed);
  const gate = { uid: fencing && (shadow.metadata.uid ?? originUid), hosts, address };
  // By the names of this version also in pods of an earlier one.
  const { ephemeralContainers = [] } = withRenamedReferences(allowed, reflectedName);
  const { volumes, ephemeralContainers: _, ...kept } = spec;
  const translated = (container: Container): Container => toContainer(container, translation);
  const initContainers = [
    ...(gate.uid === undefined && hosts === undefined && !address
      ? []
      : [gateContainer(own, gate, gateNeeds(translation))]),
    ...(spec.initContainers ?? []).map(translated),
  ];
  return {
    ...kept,
    ...(asksClusterDns(spec) ? toPodDns(spec, { namespace, ...translation }) : homeApiAlias(spec, translation)),
    containers: spec.containers.map(translated),
    ...(initContainers.length === 0 ? {} : { initContainers }),
    ...(debuggers && ephemeralContainers.length > 0
      ? { ephemeralContainers: ephemeralContainers.map(translated) }
      : {}),
    ...(volumes === undefined
      ? {}
      : { volumes: volumes.map((volume) => translateVolume(volume, { originUid, hasGroup: hasGroup(own) }, facts)) }),
    ...(needsNoCredentials(shadow) ? { imagePullSecrets: [{ name: NO_CREDENTIALS }] } : {}),
    affinity: NOT_ON_VIRTUAL_NODES,
    serviceAccountName: 'default',
    automountServiceAccountToken: false,
    ...hostNameOf(own, of),
  };
}

/** A kubelet would write the name of the twin namespace, which is longer, into a host name that is the whole name of the pod. */
function hostNameOf(spec: PodSpec, of: Parameters<typeof wholeHostName>[1]): object {
  const name = wholeHostName(spec, of);
  return name === undefined ? {} : { hostnameOverride: name, setHostnameAsFQDN: false };
}

function hasGroup({ securityContext }: PodSpec): boolean {
  return typeof (securityContext as { fsGroup?: unknown } | null | undefined)?.fsGroup === 'number';
}

/** The API server gives the Secrets of the ServiceAccount to a pod that names none for pulling its images. */
export function needsNoCredentials(shadow: ShadowPod): boolean {
  return hasOwnObjectNames(shadow) && !shadow.spec.pod.spec.imagePullSecrets?.length;
}

function gateNeeds({ image, imagePullPolicy, nameserver }: PodSurroundings) {
  if (image !== undefined) return { image, imagePullPolicy, nameserver };
  throw new CodedError('Unavailable', 'the agent does not know its own image yet, of which this pod needs a container');
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

function toContainer(container: Container, translation: Translation): Container {
  return withHomeApi(translateContainer(container, translation.facts), translation);
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

function withoutReserved(map: Record<string, string> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map ?? {}).filter(([name]) => !name.startsWith(RESERVED_PREFIX) && name !== DROPPED_ANNOTATION),
  );
}
