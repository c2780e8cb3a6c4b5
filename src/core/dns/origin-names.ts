import { derivedName } from '../sharing/sharing-objects.ts';

/** How the names of one consumer's cluster map to those of this cluster, for the pods that run here for it. */
export interface OriginView {
  /** `cluster.local` */
  clusterDomain: string;
  /** The twin namespace of a namespace of the consumer; undefined where there is none here. */
  twinOf(namespace: string): string | undefined;
  /** The consumer's namespace of a twin namespace; undefined for every other namespace. */
  namespaceOf(twin: string): string | undefined;
  /** The address at which pods reach the API server of their home; undefined where they may not. */
  homeApi: string | undefined;
  /** The address by which the consumer's pods know what has this one here, and the other way round. */
  toHome(here: string): string;
  toHere(there: string): string;
}

export type NameFate =
  /** A name that means the same everywhere. */
  | { type: 'pass' }
  /** Asked under another name here; `service` is the Service (NAMESPACE/NAME here) that it belongs to, if it is the name of any. With `cluster`: only its pods. */
  | { type: 'ask'; name: string; service: string | undefined; cluster?: string }
  /** The answer names services; those of other namespaces than the consumer's are nobody's business. */
  | { type: 'reverse'; name: string }
  /** The API server of the consumer. */
  | { type: 'home-api' }
  | { type: 'absent' };

/** Of Services that members share, by the standard. */
export const CLUSTERSET_DOMAIN = 'clusterset.local';

const API_SERVICE = 'kubernetes.default.svc';

/** What becomes of a name that an offloaded pod asks for. Names of the cluster are its home's, never this cluster's own. */
export function fateOf(asked: string, view: OriginView): NameFate {
  const name = normal(asked);
  if (name.endsWith('.in-addr.arpa') || name.endsWith('.ip6.arpa'))
    return { type: 'reverse', name: toReverse(name, view) };
  if (name === CLUSTERSET_DOMAIN || name.endsWith(`.${CLUSTERSET_DOMAIN}`)) return fateOfImport(name, view);
  const inside = parseClusterName(name, view.clusterDomain);
  if (inside === undefined) return { type: 'pass' };
  if (name === `${API_SERVICE}.${view.clusterDomain}`) {
    return { type: view.homeApi === undefined ? 'absent' : 'home-api' };
  }
  const twin = view.twinOf(inside.namespace);
  if (twin === undefined) return { type: 'absent' };
  const service = inside.kind === 'svc' ? inside.front.at(-1) : undefined;
  return {
    type: 'ask',
    name: toName({ ...inside, front: moved(inside, view.toHere) }, twin, view),
    service: service === undefined ? undefined : `${twin}/${service}`,
  };
}

/**
 * Names of imports are those of the pod's home, whose Services are here under the names that their home derives: `SERVICE`,
 * `_PORT._PROTOCOL.SERVICE`, and of one pod `HOSTNAME.CLUSTER.SERVICE`.
 */
function fateOfImport(name: string, view: OriginView): NameFate {
  const inside = parseClusterName(name, CLUSTERSET_DOMAIN);
  const twin = inside?.kind === 'svc' ? view.twinOf(inside.namespace) : undefined;
  const service = inside?.front.at(-1);
  if (inside === undefined || twin === undefined || service === undefined) return { type: 'absent' };
  const before = inside.front.slice(0, -1);
  const isOfPod = before.length === 2 && !before[0]?.startsWith('_');
  const derived = derivedName(service);
  const front = [...(isOfPod ? before.slice(0, 1) : before), derived];
  return {
    type: 'ask',
    name: toName({ ...inside, front }, twin, view),
    service: `${twin}/${derived}`,
    ...(isOfPod ? { cluster: before[1] ?? '' } : {}),
  };
}

/** A name in an answer as the consumer's pods know it; undefined when it is of a namespace that is not the consumer's. */
export function toOriginName(answered: string, view: OriginView): string | undefined {
  const inside = parseClusterName(normal(answered), view.clusterDomain);
  if (inside === undefined) return answered;
  const namespace = view.namespaceOf(inside.namespace);
  if (namespace === undefined) return undefined;
  return toName({ ...inside, front: moved(inside, view.toHome) }, namespace, view);
}

/** True for names whose answers are addresses of pods and Services; those of `pod` are made of the name alone. */
export function hasAddresses(asked: string, { clusterDomain }: OriginView): boolean {
  return parseClusterName(normal(asked), clusterDomain)?.kind === 'svc';
}

const REVERSE = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/;

/** The question for the name of an address that the consumer's pods know, as it is asked here. */
function toReverse(name: string, { toHere }: OriginView): string {
  const bytes = REVERSE.exec(name)?.slice(1).reverse();
  if (bytes === undefined) return name;
  return `${toHere(bytes.join('.')).split('.').reverse().join('.')}.in-addr.arpa`;
}

const DASHED = /^\d{1,3}(-\d{1,3}){3}$/;

/** A pod without a host name is called by its address: `10-244-0-7.SERVICE`. */
function moved({ front, kind }: ClusterName, move: (address: string) => string): string[] {
  const [first = '', ...rest] = front;
  if (kind !== 'svc' || rest.length !== 1 || !DASHED.test(first)) return front;
  return [move(first.replaceAll('-', '.')).replaceAll('.', '-'), ...rest];
}

interface ClusterName {
  /** What stands before the namespace: service, or endpoint and service; may be empty. */
  front: string[];
  namespace: string;
  kind: 'svc' | 'pod';
}

/** `FRONT.NAMESPACE.svc.DOMAIN` or `….pod.DOMAIN`; undefined for every other name. */
function parseClusterName(name: string, clusterDomain: string): ClusterName | undefined {
  const suffix = `.${clusterDomain}`;
  if (!name.endsWith(suffix)) return undefined;
  const labels = name.slice(0, -suffix.length).split('.');
  const kind = labels.pop();
  const namespace = labels.pop();
  if ((kind !== 'svc' && kind !== 'pod') || namespace === undefined) return undefined;
  return { front: labels, namespace, kind };
}

function toName({ front, kind }: ClusterName, namespace: string, { clusterDomain }: OriginView): string {
  return [...front, namespace, kind, clusterDomain].join('.');
}

function normal(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
