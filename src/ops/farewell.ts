import { hasCode } from '../core/coded-error.ts';
import { FEDERATION_NAME, LEAVE_ANNOTATION, type PeerObject } from '../core/membership/peer-object.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { FEDERATIONS, PEERS } from '../kube/resources.ts';
import type { Clock, TimeLimit } from '../runtime/clock.ts';
import { readFederation } from './cluster.ts';
import { findAll, POLL_MS } from './removal.ts';

export interface FarewellOptions {
  clock: Clock;
  withinMs: number;
  signal?: AbortSignal;
}

/** Has the agent tell all members that this one is none any more. @returns whether it did so in time; it goes on by itself */
export async function sayFarewell(client: KubeClient, options: FarewellOptions): Promise<boolean> {
  const { clock, withinMs, signal } = options;
  const until = clock.monotonic() + withinMs;
  const annotations = { [LEAVE_ANNOTATION]: new Date(clock.now()).toISOString() };
  await client.patch(FEDERATIONS, { name: FEDERATION_NAME }, { metadata: { annotations } });
  while (clock.monotonic() < until) {
    // The agent takes the annotation away once everybody was told.
    const { metadata } = await readFederation(client);
    const peers = await client.list<PeerObject>(PEERS);
    if (metadata.annotations?.[LEAVE_ANNOTATION] === undefined && peers.items.length === 0) return true;
    await clock.sleep(POLL_MS, signal);
  }
  return false;
}

/** What became of the farewell of a member that goes anyway. */
export type Goodbye =
  /** It was in no federation. */
  | { type: 'no-member' }
  /** Those that were away hear it from the others. */
  | { type: 'told'; members: number }
  /** The agent, which was asked to, did not confirm it in time. The others know this member by `name`. */
  | { type: 'unconfirmed'; members: number; name: string }
  /** Nobody is there who would hear it: the others only notice that it is away. */
  | { type: 'not-told'; members: number; name: string };

/** As a step of something that goes on whatever becomes of it: there may be no agent, and no peer that anybody reaches. */
export async function tryFarewell(client: KubeClient, { clock, untilMs }: TimeLimit): Promise<Goodbye> {
  const peers = (await findAll(client, { type: PEERS })) as PeerObject[];
  const members = peers.length;
  if (members === 0) return { type: 'no-member' };
  let name = '';
  try {
    name = (await readFederation(client)).status?.name ?? '';
    // A suspicion is over within seconds.
    const someoneHears = peers.some(({ status }) => status?.state === 'Connected' || status?.state === 'Suspect');
    const withinMs = untilMs - clock.monotonic();
    if (!someoneHears) return { type: 'not-told', members, name };
    if (await sayFarewell(client, { clock, withinMs })) return { type: 'told', members };
  } catch (error) {
    // The Federation is gone: an earlier try came further than this.
    if (!isNotFound(error) && !hasCode(error, 'FailedPrecondition')) throw error;
  }
  return { type: 'unconfirmed', members, name };
}
