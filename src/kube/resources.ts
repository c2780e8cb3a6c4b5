/** A kind of Kubernetes object as the API addresses it. */
export interface ResourceType {
  group: string;
  version: string;
  plural: string;
  kind: string;
  namespaced: boolean;
}

function resource(apiVersion: string, kind: string, plural: string, namespaced: boolean): ResourceType {
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  return { group, version: apiVersion.slice(slash + 1), plural, kind, namespaced };
}

export const PODS = resource('v1', 'Pod', 'pods', true);
export const NODES = resource('v1', 'Node', 'nodes', false);
export const NAMESPACES = resource('v1', 'Namespace', 'namespaces', false);
export const SECRETS = resource('v1', 'Secret', 'secrets', true);
export const CONFIG_MAPS = resource('v1', 'ConfigMap', 'configmaps', true);
export const SERVICE_ACCOUNTS = resource('v1', 'ServiceAccount', 'serviceaccounts', true);
export const SERVICES = resource('v1', 'Service', 'services', true);
export const ENDPOINT_SLICES = resource('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices', true);
export const SERVICE_CIDRS = resource('networking.k8s.io/v1', 'ServiceCIDR', 'servicecidrs', false);
export const NETWORK_POLICIES = resource('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies', true);
export const EVENTS = resource('v1', 'Event', 'events', true);
export const LEASES = resource('coordination.k8s.io/v1', 'Lease', 'leases', true);
export const ROLE_BINDINGS = resource('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings', true);
export const CERTIFICATE_SIGNING_REQUESTS = resource(
  'certificates.k8s.io/v1',
  'CertificateSigningRequest',
  'certificatesigningrequests',
  false,
);
export const MUTATING_WEBHOOK_CONFIGURATIONS = resource(
  'admissionregistration.k8s.io/v1',
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
  false,
);
export const DAEMON_SETS = resource('apps/v1', 'DaemonSet', 'daemonsets', true);
export const DEPLOYMENTS = resource('apps/v1', 'Deployment', 'deployments', true);
export const STATEFUL_SETS = resource('apps/v1', 'StatefulSet', 'statefulsets', true);
export const PERSISTENT_VOLUME_CLAIMS = resource('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', true);
export const PERSISTENT_VOLUMES = resource('v1', 'PersistentVolume', 'persistentvolumes', false);
export const STORAGE_CLASSES = resource('storage.k8s.io/v1', 'StorageClass', 'storageclasses', false);
export const CSI_STORAGE_CAPACITIES = resource('storage.k8s.io/v1', 'CSIStorageCapacity', 'csistoragecapacities', true);
export const FEDERATIONS = resource('headcut.dev/v1alpha1', 'Federation', 'federations', false);
export const PEERS = resource('headcut.dev/v1alpha1', 'Peer', 'peers', false);
export const OFFLOADINGS = resource('headcut.dev/v1alpha1', 'Offloading', 'offloadings', true);
export const CLUSTER_PROPERTIES = resource('about.k8s.io/v1beta1', 'ClusterProperty', 'clusterproperties', false);
export const CLUSTER_PROFILES = resource('multicluster.x-k8s.io/v1alpha1', 'ClusterProfile', 'clusterprofiles', true);
export const SERVICE_EXPORTS = resource('multicluster.x-k8s.io/v1beta1', 'ServiceExport', 'serviceexports', true);
export const SERVICE_IMPORTS = resource('multicluster.x-k8s.io/v1beta1', 'ServiceImport', 'serviceimports', true);
export const SHADOW_PODS = resource('headcut.dev/v1alpha1', 'ShadowPod', 'shadowpods', true);

/** `v1`, `apps/v1`, … */
export function apiVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

export interface ResourceAddress {
  namespace?: string | undefined;
  name?: string | undefined;
  subresource?: string | undefined;
}

/** The URL path of a collection, an object or a subresource. */
export function resourcePath(type: ResourceType, address: ResourceAddress = {}): string {
  const parts = type.group === '' ? ['/api', type.version] : ['/apis', type.group, type.version];
  if (type.namespaced && address.namespace !== undefined)
    parts.push('namespaces', encodeURIComponent(address.namespace));
  parts.push(type.plural);
  if (address.name !== undefined) parts.push(encodeURIComponent(address.name));
  if (address.subresource !== undefined) parts.push(address.subresource);
  return parts.join('/');
}
