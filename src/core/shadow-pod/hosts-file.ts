import type { Container, PodSpec, PodStatus } from '../kube-objects.ts';
import { withGateVolume } from './gate-volume.ts';

/**
 * A pod with a subdomain finds its whole name in /etc/hosts, where `hostname -f` and databases look for it. The provider's kubelet
 * writes that with the twin namespace, so the pod has a file of its own instead: the gate makes it from the kubelet's, before any
 * other container starts.
 */

const HOSTS_VOLUME = 'headcut-hosts';
const HOSTS_PATH = '/etc/hosts';
/** Where the gate finds the folder of the file. */
const GATE_FOLDER = '/headcut-hosts';
const FILE_NAME = 'hosts';
/** The longest name that Linux gives a host, and the longest label of a name. */
const MAX_HOST_NAME = 64;
const MAX_LABEL = 63;

/** A line of the kubelet's file is the pod's own if its name ends with the former domain; it gets the latter. */
export interface HostsChange {
  /** The file to write. */
  path: string;
  /** As the kubelet writes it: `SUBDOMAIN.NAMESPACE.svc.DOMAIN`. */
  from: string;
  to: string;
  /** Without a domain. */
  hostname: string;
}

export interface PodOfHome {
  name: string;
  /** At home, and on its provider. */
  namespace: string;
  twin: string;
  clusterDomain: string;
}

/** Undefined for pods whose file is the same as at home. */
export function hostsChange(spec: PodSpec, pod: PodOfHome): HostsChange | undefined {
  const subdomain = subdomainOf(spec);
  if (subdomain === undefined || (spec.os as { name?: unknown } | undefined)?.name === 'windows') return undefined;
  if (Array.isArray(spec.volumes) && spec.volumes.some((one) => one?.name === HOSTS_VOLUME)) return undefined;
  const domainIn = (namespace: string): string => `${subdomain}.${namespace}.svc.${pod.clusterDomain}`;
  const hostname = hostnameOf(spec, pod.name);
  return { path: `${GATE_FOLDER}/${FILE_NAME}`, from: domainIn(pod.twin), to: domainIn(pod.namespace), hostname };
}

/** What the gate writes. @param text of the kubelet's own file (ensureHostsFile in pkg/kubelet/kubelet_pods.go) */
export function toHomeHosts(text: string, { from, to, hostname }: HostsChange): string {
  const own = [`${hostname}.${from}`, `${hostname}.${to}`];
  return text
    .split('\n')
    .map((line) => {
      const [ip = '', name = ''] = line.split('\t');
      return own.includes(name) ? `${ip}\t${hostname}.${to}\t${hostname}` : line;
    })
    .join('\n');
}

/** The pod with the file in its containers, but for those that have one of their own. Debuggers cannot have it. */
export function withHostsFile(spec: PodSpec): PodSpec {
  const mount = { name: HOSTS_VOLUME, mountPath: HOSTS_PATH, subPath: FILE_NAME };
  const mounted = (container: Container): Container => {
    const mounts = (container.volumeMounts ?? []) as { mountPath: string }[];
    return mounts.some(({ mountPath }) => mountPath === HOSTS_PATH)
      ? container
      : { ...container, volumeMounts: [...mounts, mount] };
  };
  return withGateVolume(spec, HOSTS_VOLUME, mounted);
}

/** Of the container that writes the file. */
export const HOSTS_MOUNT = { name: HOSTS_VOLUME, mountPath: GATE_FOLDER };

/** The status as the pod's home knows the pod: its containers have no such mount there. */
export function withoutHostsMount(status: PodStatus): PodStatus {
  const fields = ['containerStatuses', 'initContainerStatuses'] as const;
  const changed = fields.flatMap((field) => {
    const statuses = status[field];
    if (statuses === undefined) return [];
    return [
      [
        field,
        statuses.map((one) => {
          const { volumeMounts, ...rest } = one as typeof one & { volumeMounts?: { name?: string }[] };
          const own = volumeMounts?.filter(({ name }) => name !== HOSTS_VOLUME) ?? [];
          return own.length === 0 ? rest : { ...rest, volumeMounts: own };
        }),
      ],
    ];
  });
  return { ...status, ...Object.fromEntries(changed) };
}

/** A host name that is the whole name of the pod; undefined where it is not to be, or does not fit (as at home). */
export function wholeHostName(spec: PodSpec, pod: Omit<PodOfHome, 'twin'>): string | undefined {
  const subdomain = subdomainOf(spec);
  if (spec.setHostnameAsFQDN !== true || subdomain === undefined) return undefined;
  const name = `${hostnameOf(spec, pod.name)}.${subdomain}.${pod.namespace}.svc.${pod.clusterDomain}`;
  return name.length > MAX_HOST_NAME ? undefined : name;
}

function subdomainOf({ subdomain }: PodSpec): string | undefined {
  return typeof subdomain === 'string' && subdomain !== '' ? subdomain : undefined;
}

/** As a kubelet gives it (truncatePodHostnameIfNeeded). */
function hostnameOf({ hostname }: PodSpec, podName: string): string {
  const name = typeof hostname === 'string' && hostname !== '' ? hostname : podName;
  return name.slice(0, MAX_LABEL).replace(/[-.]+$/, '');
}
