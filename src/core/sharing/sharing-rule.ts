import type { KubeObject } from '../kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../labels.ts';
import { SHARE_ANNOTATION } from './sharing-objects.ts';

/** Which way Services of a namespace go. */
export type Direction = 'export' | 'import';

type Sharing = 'Both' | 'Export' | 'Import' | 'None';

/** An entry of `spec.services.rules` of the Federation: for these peers, for those with these labels, or for all. */
export interface SharingRule {
  /** IDs: a name is what a member calls itself. */
  peers?: string[];
  /** Labels of Peer objects, which nobody but this cluster's administrator gives. */
  selector?: { matchLabels?: Record<string, string> };
  /** Names of namespaces; all where it is not set. */
  namespaces?: string[];
  share?: Sharing;
}

export interface SharingSettings {
  rules?: SharingRule[];
}

/** A member as the rules see it. */
export interface SharingPeer {
  id: string;
  /** Those of its Peer object. */
  labels: Readonly<Record<string, string>>;
}

/** Namespaces that every cluster has: that two have them says nothing. The annotation opens them. */
const OF_EVERY_CLUSTER = /^(kube-.*|headcut-system)$/;

/**
 * Whether Services of a namespace are told to a peer, or taken from it. A namespace has to exist here: what another member exports
 * from a namespace that only it has comes to nothing. The namespace and the Federation have to agree.
 */
export function mayShare(
  direction: Direction,
  namespace: KubeObject | undefined,
  peer: SharingPeer,
  settings: SharingSettings | undefined,
): boolean {
  if (namespace === undefined || !isShared(direction, namespace)) return false;
  const rule = settings?.rules?.find((one) => isFor(one, namespace.metadata.name, peer));
  return allows(rule?.share ?? 'Both', direction);
}

/** Whether a namespace takes part at all, whatever the peer. */
export function isShared(direction: Direction, { metadata }: KubeObject): boolean {
  // A twin is another member's namespace, which that one shares.
  if (metadata.labels?.[ORIGIN_CLUSTER_LABEL] !== undefined || metadata.deletionTimestamp !== undefined) return false;
  const said = metadata.annotations?.[SHARE_ANNOTATION];
  const byDefault: Sharing = OF_EVERY_CLUSTER.test(metadata.name) ? 'None' : 'Both';
  // What cannot be read closes: somebody meant to say something.
  return allows(said === undefined ? byDefault : said, direction);
}

function allows(share: string, direction: Direction): boolean {
  return share === 'Both' || share === (direction === 'export' ? 'Export' : 'Import');
}

function isFor({ peers, selector, namespaces }: SharingRule, namespace: string, peer: SharingPeer): boolean {
  if (namespaces !== undefined && !namespaces.includes(namespace)) return false;
  if (peers === undefined && selector === undefined) return true;
  if (peers?.includes(peer.id) === true) return true;
  if (selector === undefined) return false;
  return Object.entries(selector.matchLabels ?? {}).every(([name, value]) => peer.labels[name] === value);
}
