import { CodedError } from '../core/coded-error.ts';
import type { Node } from '../core/kube-objects.ts';
import { PEER_LABEL } from '../core/labels.ts';
import type { PeerObject } from '../core/membership/peer-object.ts';
import type { KubeClient } from '../kube/client.ts';
import { NODES, PEERS } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { explain } from './cluster.ts';

export interface AwaitOptions {
  timeoutMs: number;
  clock: Clock;
  signal: AbortSignal;
}

const POLL_MS = 250;

/**
 * Waits until members can be used from here: connected, and their virtual nodes Ready. Gives each one's name once it is.
 * @param wanted names or IDs. Throws Unavailable that says who is missing, and why, when the time is over.
 */
export async function* awaitMembers(
  client: Pick<KubeClient, 'list'>,
  wanted: readonly string[],
  { timeoutMs, clock, signal }: AwaitOptions,
): AsyncGenerator<string> {
  const until = clock.monotonic() + timeoutMs;
  const ready = new Set<string>();
  for (;;) {
    const obstacles = await findObstacles(client, wanted);
    for (const who of wanted) {
      if (ready.has(who) || obstacles.has(who)) continue;
      ready.add(who);
      yield who;
    }
    if (ready.size === wanted.length) return;
    if (clock.monotonic() >= until) {
      const missing = [...obstacles].map(([who, why]) => `${who} (${why})`).join(', ');
      const within = `${Math.round(timeoutMs / 1000)}s`;
      throw new CodedError(
        'Unavailable',
        `not ready after ${within}: ${missing}; it goes on by itself, headcut doctor tells what is in the way`,
      );
    }
    await clock.sleep(POLL_MS, signal);
  }
}

/** What each of `wanted` lacks; who lacks nothing is not in it. */
async function findObstacles(
  client: Pick<KubeClient, 'list'>,
  wanted: readonly string[],
): Promise<Map<string, string>> {
  try {
    const [peers, nodes] = await Promise.all([
      client.list<PeerObject>(PEERS),
      client.list<Node>(NODES, { query: { labelSelector: PEER_LABEL } }),
    ]);
    const obstacles = wanted.map((who): [string, string | undefined] => {
      const peer = peers.items.find(({ metadata, spec }) => [metadata.name, spec.name, spec.id].includes(who));
      return [who, obstacleOf(peer, nodes.items)];
    });
    return new Map(obstacles.filter((one): one is [string, string] => one[1] !== undefined));
  } catch (error) {
    throw explain(error);
  }
}

function obstacleOf(peer: PeerObject | undefined, nodes: readonly Node[]): string | undefined {
  if (peer === undefined) return 'not known here yet';
  const { state, conditions } = peer.status ?? {};
  if (state !== 'Connected')
    return conditions?.find(({ type }) => type === 'Connected')?.message ?? 'not connected yet';
  const node = nodes.find(({ metadata }) => metadata.labels?.[PEER_LABEL] === peer.spec.id);
  if (node === undefined) return 'it has no virtual node yet';
  const condition = node.status?.conditions?.find(({ type }) => type === 'Ready');
  return condition?.status === 'True'
    ? undefined
    : `its node is not Ready${condition?.message ? `: ${condition.message}` : ''}`;
}
