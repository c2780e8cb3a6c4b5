import { isDeepStrictEqual } from 'node:util';
import type { Condition } from '../kube-objects.ts';
import type { PacketPath } from '../network/path.ts';
import type { Refusal } from '../network/refusal.ts';
import { plainLine } from '../plain-text.ts';
import type { FederationObject, PeerObject } from './peer-object.ts';

/** How things stand with the pod network, here or with one peer. */
export type NetworkView =
  /** `prefix`: under which the pods are known. */
  | { ready: true; prefix: string; path?: PacketPath; tunnels?: string }
  | { ready: false; prefix?: string; problem: Refusal };

export const NETWORK_READY = 'NetworkReady';
const MAX_MESSAGE_CHARS = 500;

type StatusPatch = { network: object | null; conditions: Condition[] };

/** The patch of a Peer's status, or undefined when it says so already. @param now RFC 3339 */
export function planPeerNetworkStatus(peer: PeerObject, view: NetworkView, now: string): StatusPatch | undefined {
  const network =
    view.prefix === undefined ? null : { path: view.ready ? (view.path ?? null) : null, prefix: view.prefix };
  return planStatus(peer.status, network, conditionOf(view, peerMessage), now);
}

/** As planPeerNetworkStatus, for the own part. */
export function planOwnNetworkStatus(
  federation: FederationObject,
  view: NetworkView,
  now: string,
): StatusPatch | undefined {
  const network =
    view.prefix === undefined ? null : { prefix: view.prefix, tunnels: view.ready ? (view.tunnels ?? null) : null };
  return planStatus(federation.status, network, conditionOf(view, ownMessage), now);
}

function planStatus(
  before: { network?: object | null; conditions?: Condition[] } | undefined,
  network: Record<string, unknown> | null,
  condition: Omit<Condition, 'lastTransitionTime'>,
  now: string,
): StatusPatch | undefined {
  const old = before?.conditions?.find((one) => one.type === NETWORK_READY);
  const same = isDeepStrictEqual(pick(old), pick(condition));
  if (same && isDeepStrictEqual(withoutNulls(before?.network), withoutNulls(network))) return undefined;
  const lastTransitionTime = old?.status === condition.status ? (old?.lastTransitionTime ?? now) : now;
  const others = (before?.conditions ?? []).filter((one) => one.type !== NETWORK_READY);
  return { network, conditions: [...others, { ...condition, lastTransitionTime } as Condition] };
}

function pick(condition: { status?: unknown; reason?: unknown; message?: unknown } | undefined): unknown[] {
  return [condition?.status, condition?.reason, condition?.message];
}

function conditionOf(view: NetworkView, messageOf: (view: NetworkView & { ready: true }) => Refusal) {
  const { reason, message } = view.ready ? messageOf(view) : view.problem;
  const status = view.ready ? ('True' as const) : ('False' as const);
  return { type: NETWORK_READY, status, reason, message: plainLine(message, MAX_MESSAGE_CHARS) };
}

function peerMessage({ path }: NetworkView & { ready: true }): Refusal {
  return path === 'TLS'
    ? { reason: 'TLS', message: 'UDP does not get through: packets of pods travel through the peer port' }
    : { reason: 'UDP', message: 'packets of pods travel by UDP' };
}

function ownMessage({ prefix }: NetworkView & { ready: true }): Refusal {
  return { reason: 'Mapped', message: `the other members know the pods of this cluster as ${prefix}` };
}

/** The API server keeps nulls out of what it stores. */
function withoutNulls(network: object | null | undefined): object {
  return Object.fromEntries(Object.entries(network ?? {}).filter(([, value]) => value !== null));
}
