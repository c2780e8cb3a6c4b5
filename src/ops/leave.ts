import { CodedError } from '../core/coded-error.ts';
import { FEDERATION_NAME, LEAVE_ANNOTATION, type PeerObject } from '../core/membership/peer-object.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { FEDERATIONS, PEERS } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { explain, readFederation } from './cluster.ts';

/** For the agent to say goodbye; then the peers are removed without it. */
const FAREWELL_WITHIN_MS = 20_000;
const POLL_MS = 250;

export interface LeaveOptions {
  clock: Clock;
  /** Moves the pods away that are on a peer; bounded in time. What it throws is told, and the leave goes on. */
  moveAway(peer: string): Promise<void>;
}

export type LeaveProgress =
  | { type: 'moving'; peer: string }
  | { type: 'not-moved'; peer: string; error: unknown }
  | { type: 'leaving'; members: number }
  | { type: 'left'; members: number }
  /** The agent did not do it: the others notice only that this member is away. */
  | { type: 'left-silently'; members: number };

/** Moves this member's pods home and ends its membership for everybody. Never hangs; harmless when it is no member. */
export async function* leave(client: KubeClient, options: LeaveOptions): AsyncGenerator<LeaveProgress> {
  const { clock, moveAway } = options;
  try {
    await readFederation(client);
    const peers = await listNames(client);
    for (const peer of peers) {
      yield { type: 'moving', peer };
      try {
        await moveAway(peer);
      } catch (error) {
        yield { type: 'not-moved', peer, error };
      }
    }
    yield { type: 'leaving', members: peers.length };
    const annotations = { [LEAVE_ANNOTATION]: new Date(clock.now()).toISOString() };
    await client.patch(FEDERATIONS, { name: FEDERATION_NAME }, { metadata: { annotations } });
    if (await isDone(client, clock)) return yield { type: 'left', members: peers.length };
    for (const name of await listNames(client)) await remove(client, name);
    yield { type: 'left-silently', members: peers.length };
  } catch (error) {
    throw error instanceof CodedError ? error : explain(error);
  }
}

async function listNames(client: KubeClient): Promise<string[]> {
  return (await client.list<PeerObject>(PEERS)).items.map((peer) => peer.metadata.name);
}

/** The agent takes the annotation away once everybody was told. */
async function isDone(client: KubeClient, clock: Clock): Promise<boolean> {
  const until = clock.monotonic() + FAREWELL_WITHIN_MS;
  while (clock.monotonic() < until) {
    const { metadata } = await readFederation(client);
    if (metadata.annotations?.[LEAVE_ANNOTATION] === undefined && (await listNames(client)).length === 0) return true;
    await clock.sleep(POLL_MS);
  }
  return false;
}

async function remove(client: KubeClient, name: string): Promise<void> {
  try {
    await client.delete(PEERS, { name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
