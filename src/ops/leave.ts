import { CodedError } from '../core/coded-error.ts';
import { LEAVE_ANNOTATION, type PeerObject } from '../core/membership/peer-object.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { PEERS } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { explain, readFederation } from './cluster.ts';
import { sayFarewell } from './farewell.ts';

/** For the agent to say goodbye; then the peers are removed without it. */
const FAREWELL_WITHIN_MS = 20_000;

export interface LeaveOptions {
  clock: Clock;
  /** Aborts while pods are moved: then this stays a member. Later the agent goes on by itself. */
  signal: AbortSignal;
  /** Sends no more pods to a peer. @returns whether that changed anything; undefined where no pods of ours can be */
  closeDoor(peer: string): Promise<boolean | undefined>;
  /** Takes back what closeDoor changed. */
  openDoor(peer: string): Promise<void>;
  /** Moves the pods away that are on a peer; bounded in time. What it throws is told, and the leave goes on. */
  moveAway(peer: string): Promise<void>;
}

export type LeaveProgress =
  /** It is in no federation, so there is nothing to do. */
  | { type: 'no-member' }
  | { type: 'moving'; peer: string }
  | { type: 'not-moved'; peer: string; error: unknown }
  | { type: 'leaving'; members: number }
  | { type: 'left'; members: number }
  /** The agent did not do it: the others, who know this member by `name`, notice only that it is away. */
  | { type: 'left-silently'; members: number; name: string };

/** Moves this member's pods home and ends its membership for everybody. Never hangs; harmless when it is no member. */
export async function* leave(client: KubeClient, options: LeaveOptions): AsyncGenerator<LeaveProgress> {
  const { clock, signal } = options;
  try {
    const { metadata, status } = await readFederation(client);
    const peers = await listNames(client);
    if (peers.length === 0 && metadata.annotations?.[LEAVE_ANNOTATION] === undefined)
      return yield { type: 'no-member' };
    yield* moveHome(peers, options);
    yield { type: 'leaving', members: peers.length };
    const told = await sayFarewell(client, { clock, withinMs: FAREWELL_WITHIN_MS, signal });
    if (told) return yield { type: 'left', members: peers.length };
    for (const name of await listNames(client)) await remove(client, name);
    yield { type: 'left-silently', members: peers.length, name: status?.name ?? '' };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error instanceof CodedError ? error : explain(error);
  }
}

/** All doors are closed before the first pod moves, or it would only go on to the next peer. */
async function* moveHome(peers: readonly string[], options: LeaveOptions): AsyncGenerator<LeaveProgress> {
  const { signal, closeDoor, openDoor, moveAway } = options;
  const closed: string[] = [];
  try {
    const withNode: string[] = [];
    for (const peer of peers) {
      const changed = await closeDoor(peer);
      if (changed !== undefined) withNode.push(peer);
      if (changed === true) closed.push(peer);
    }
    for (const peer of withNode) {
      yield { type: 'moving', peer };
      try {
        await moveAway(peer);
      } catch (error) {
        signal.throwIfAborted();
        yield { type: 'not-moved', peer, error };
      }
    }
    signal.throwIfAborted();
  } catch (error) {
    for (const peer of closed) await openDoor(peer);
    throw error;
  }
}

async function listNames(client: KubeClient): Promise<string[]> {
  return (await client.list<PeerObject>(PEERS)).items.map((peer) => peer.metadata.name);
}

async function remove(client: KubeClient, name: string): Promise<void> {
  try {
    await client.delete(PEERS, { name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
