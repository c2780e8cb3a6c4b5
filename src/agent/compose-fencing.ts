import { uptime } from 'node:os';
import { join } from 'node:path';
import type { KubeClient } from '../kube/client.ts';
import type { AgentParts } from './agent-parts.ts';
import type { Caches } from './caches.ts';
import { createPodGuard } from './fencing/guard-line.ts';
import { createGuardRights } from './fencing/guard-rights.ts';
import { LeaseGrants } from './fencing/lease-grants.ts';
import { createLeaseMemory } from './fencing/lease-memory.ts';
import { Leases } from './fencing/leases.ts';
import { createPodFencing } from './fencing/pod-fencing.ts';
import { GUARD_SOCKET } from './fencing/serve-guard.ts';
import type { PeerLinks } from './ports.ts';

/** Both sides of fencing: what is asked of the homes of pods here, and what is known about our pods elsewhere. */
export function composeFencing(
  { config, clock, logger }: AgentParts,
  { client, caches, peers }: { client: KubeClient; caches: Caches; peers: PeerLinks },
) {
  // Goes on while the machine sleeps, other than the monotonic clock of the process.
  const uptimeMs = (): number => uptime() * 1_000;
  const grants = new LeaseGrants(caches.pods, uptimeMs);
  const memory = createLeaseMemory(config.stateFolder);
  const guard = createPodGuard(join(config.fenceFolder, GUARD_SOCKET), clock);
  const { shadowPods } = caches;
  const leases = new Leases({ shadowPods, links: peers, memory, guard, uptime: uptimeMs, clock, logger });
  const { namespace } = config;
  const guardRights = createGuardRights({ client, shadowPods, namespace, clock, logger });
  return { leases, guardRights, grants, fencing: createPodFencing(caches, grants) };
}
