import type { Caches } from './caches.ts';
import type { AgentParts } from './compose.ts';
import { Failover } from './failover/failover.ts';
import type { NodeIdentities, PeerLinks } from './ports.ts';

/** What is done about pods whose peer is lost. */
export function composeFailover(
  { clock, logger }: AgentParts,
  { caches, membership, identities }: { caches: Caches; membership: PeerLinks; identities: NodeIdentities },
): Failover {
  const { pods, nodes, offloadings, federations } = caches;
  return new Failover({ pods, nodes, offloadings, federations, links: membership, identities, clock, logger });
}
