import { CodedError } from '../core/coded-error.ts';
import { mustHaveRoomForKey } from '../core/membership/member-keys.ts';
import {
  FEDERATION_NAME,
  type FederationObject,
  type PeerObject,
  ROTATE_KEY_ANNOTATION,
} from '../core/membership/peer-object.ts';
import type { KubeClient } from '../kube/client.ts';
import { FEDERATIONS, PEERS } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { KEY_REPLACEMENT_PROTOCOL } from '../wire/endpoints.ts';
import { explain, readFederation } from './cluster.ts';

/** What a new key would mean. */
export interface KeyOutlook {
  id: string;
  /** How many keys came before the present one. */
  replaced: number;
  /** Members that accept it at once, and those that do when they are back. */
  connected: string[];
  away: string[];
  /** Members whose headcut is too old to know this one by another key: they lose it until they are updated. */
  lost: string[];
}

export interface RotateKeyOptions {
  /** Although members would be lost. */
  force: boolean;
  /** Until all members that are connected have accepted it. */
  wait: boolean;
  timeoutMs: number;
  clock: Clock;
  signal: AbortSignal;
}

export type RotateKeyProgress =
  /** @property again somebody asked before, and the agent has not done it yet */
  | { type: 'asked'; again: boolean }
  | { type: 'replaced'; id: string; replaced: number }
  | { type: 'accepted'; peer: string }
  /** It is not connected: it accepts the key when it is back. */
  | { type: 'away'; peer: string }
  /** It is too old: it finds this member again once it is updated. */
  | { type: 'lost'; peer: string };

const DONE_WITHIN_MS = 20_000;
const POLL_MS = 250;

/** What `rotateKey` would do. */
export async function keyOutlook(client: Pick<KubeClient, 'get' | 'list'>): Promise<KeyOutlook> {
  const { status } = await readFederation(client);
  const peers = await listPeers(client);
  const names = (matches: (peer: PeerObject) => boolean): string[] =>
    peers.filter(matches).map(({ metadata }) => metadata.name);
  const isOld = ({ spec }: PeerObject): boolean => (spec.protocol ?? 1) < KEY_REPLACEMENT_PROTOCOL;
  const isConnected = (peer: PeerObject): boolean => peer.status?.state === 'Connected';
  return {
    id: status?.id ?? '',
    replaced: status?.key?.replaced ?? 0,
    connected: names((peer) => !isOld(peer) && isConnected(peer)),
    away: names((peer) => !isOld(peer) && !isConnected(peer)),
    lost: names(isOld),
  };
}

/** Has the agent replace this member's key; its ID stays. Harmless when it is run again while it is under way. */
export async function* rotateKey(
  client: Pick<KubeClient, 'get' | 'list' | 'patch'>,
  options: RotateKeyOptions,
): AsyncGenerator<RotateKeyProgress> {
  const { clock, signal } = options;
  const before = await keyOutlook(client);
  mustBePossible(before, options.force);
  const again = isAsked(await readFederation(client));
  try {
    // Each request has a name of its own, of which the agent makes one key.
    const annotations = { [ROTATE_KEY_ANNOTATION]: new Date(clock.now()).toISOString() };
    if (!again) await client.patch(FEDERATIONS, { name: FEDERATION_NAME }, { metadata: { annotations } });
  } catch (error) {
    throw explain(error);
  }
  yield { type: 'asked', again };
  const until = clock.monotonic() + DONE_WITHIN_MS;
  for (;;) {
    const federation = await readFederation(client);
    const { id = '', key } = federation.status ?? {};
    if (!isAsked(federation) && key && (key.replaced > before.replaced || again)) {
      yield { type: 'replaced', id, replaced: key.replaced };
      break;
    }
    if (clock.monotonic() >= until)
      throw new CodedError(
        'Unavailable',
        'the agent has not replaced the key after 20s; it does once it runs, if it is of this version or a later one: see kubectl -n headcut-system get pods, headcut version and headcut logs',
      );
    await clock.sleep(POLL_MS, signal);
  }
  if (options.wait) yield* awaitAccepted(client, options);
}

function mustBePossible({ lost, replaced }: KeyOutlook, force: boolean): void {
  mustHaveRoomForKey(replaced);
  if (lost.length > 0 && !force)
    throw new CodedError(
      'FailedPrecondition',
      `${lost.join(', ')} would lose this member: headcut there is too old to know it by another key. Update it there first (headcut install), or use --force: what is too old finds this member again once it is updated`,
    );
}

/** Tells of each peer once it accepted the key, or that it is away. Throws Unavailable when the time is over. */
async function* awaitAccepted(
  client: Pick<KubeClient, 'get' | 'list'>,
  { timeoutMs, clock, signal }: RotateKeyOptions,
): AsyncGenerator<RotateKeyProgress> {
  const until = clock.monotonic() + timeoutMs;
  const told = new Set<string>();
  for (;;) {
    const unseen = (await readFederation(client)).status?.key?.unseenBy ?? [];
    const { connected, away, lost } = await keyOutlook(client);
    for (const peer of connected) {
      if (told.has(peer) || unseen.includes(peer)) continue;
      told.add(peer);
      yield { type: 'accepted', peer };
    }
    const missing = connected.filter((peer) => !told.has(peer));
    if (missing.length === 0) {
      for (const peer of away) if (!told.has(peer)) yield { type: 'away', peer };
      for (const peer of lost) yield { type: 'lost', peer };
      return;
    }
    if (clock.monotonic() >= until)
      throw new CodedError(
        'Unavailable',
        `not accepted after ${Math.round(timeoutMs / 1000)}s by ${missing.join(', ')}; it goes on by itself, headcut doctor tells what is in the way`,
      );
    await clock.sleep(POLL_MS, signal);
  }
}

function isAsked({ metadata }: FederationObject): boolean {
  return metadata.annotations?.[ROTATE_KEY_ANNOTATION] !== undefined;
}

async function listPeers(client: Pick<KubeClient, 'list'>): Promise<PeerObject[]> {
  try {
    return (await client.list<PeerObject>(PEERS)).items;
  } catch (error) {
    throw explain(error);
  }
}
