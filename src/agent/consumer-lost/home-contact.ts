import type { Clock } from '../../runtime/clock.ts';
import type { HomeContact, PeerLinks } from '../ports.ts';

/** Since when the homes of pods that run here have been out of contact. An agent that starts anew counts anew. */
export function createHomeContact({ links, clock }: { links: PeerLinks; clock: Clock }): HomeContact {
  const lostAt = new Map<string, number>();
  const listeners: ((cluster: string) => void)[] = [];
  const look = (id: string): void => {
    const isLost = links.get(id)?.state === 'Unreachable';
    if (isLost === lostAt.has(id)) return;
    if (isLost) lostAt.set(id, clock.monotonic());
    else lostAt.delete(id);
    for (const listener of listeners) listener(id);
  };
  for (const { id } of links.list()) look(id);
  links.onChange(look);
  return {
    lostForMs: (cluster) => {
      const since = lostAt.get(cluster);
      return since === undefined ? undefined : clock.monotonic() - since;
    },
    onChange: (listener) => listeners.push(listener),
  };
}
