import type { Pod } from '../kube-objects.ts';
import { FEDERATION_NAME } from '../membership/peer-object.ts';
import { mountsToken, type TokenSettings, tokensLeave } from '../offloading/token-rule.ts';
import { isTerminal } from '../pod-phase.ts';
import { offloadingObjectOf, peerOfNode, type World } from './world.ts';

/** Whose tokens other members hold: what their administrators could do here. A sentence a ServiceAccount; sorted. */
export function tokensAbroad(world: World, namespace: string, pods: readonly Pod[]): string[] {
  const holders = new Map<string, Set<string>>();
  for (const pod of pods) {
    const peer = peerOfNode(world, pod.spec.nodeName);
    // Before it started there, or when it ended, there is none.
    if (peer === undefined || isTerminal(pod.status) || pod.status?.startTime === undefined || !mountsToken(pod))
      continue;
    const account = pod.spec.serviceAccountName ?? 'default';
    holders.set(account, (holders.get(account) ?? new Set()).add(peer.metadata.name));
  }
  const places = [...holders].sort(([a], [b]) => a.localeCompare(b));
  if (!tokensLeaveFrom(world, namespace)) {
    const kept = 'Tokens of its ServiceAccounts stay at home (serviceAccountTokens: KeepHome)';
    return [
      places.length === 0 ? `${kept}.` : `${kept}; of pods that were sent before, they end within an hour or so.`,
    ];
  }
  return places.map(
    ([account, peers]) =>
      `Tokens of its ServiceAccount ${account} are on ${[...peers].sort().join(', ')}: who administers that can use its rights here.`,
  );
}

function tokensLeaveFrom(world: World, namespace: string): boolean {
  const own = offloadingObjectOf(world, namespace)?.spec as TokenSettings | undefined;
  const { federation } = world;
  return tokensLeave(
    own,
    federation.metadata.name === FEDERATION_NAME ? (federation.spec as TokenSettings) : undefined,
  );
}
