import type { PeerObject } from '../../core/membership/peer-object.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { HomeContact, PeerLinks } from '../ports.ts';

export interface HomeContactDeps {
  links: PeerLinks;
  /** The members as they are stored: one whose record this agent does not understand is none of its links, and a member all the same. */
  peers: Pick<Store<PeerObject>, 'synced' | 'list' | 'onChange'>;
  clock: Clock;
}

/** Since when the homes of pods that run here have been out of contact, or no members. An agent that starts anew counts anew. */
export function createHomeContact({ links, peers, clock }: HomeContactDeps): HomeContact {
  const lostAt = new Map<string, number>();
  const goneAt = new Map<string, number>();
  const listeners: ((cluster: string) => void)[] = [];
  const isGone = (id: string): boolean =>
    peers.synced && links.get(id) === undefined && !peers.list().some(({ spec }) => spec.id === id);
  const isLost = (id: string): boolean => links.get(id)?.state === 'Unreachable';
  const look = (id: string): void => {
    // Not one after the other: each has to be noted.
    const changed = [note(goneAt, id, isGone(id)), note(lostAt, id, isLost(id))];
    if (changed.includes(true)) for (const listener of listeners) listener(id);
  };
  /** @returns whether that is another thing than before */
  const note = (since: Map<string, number>, id: string, is: boolean): boolean => {
    if (is === since.has(id)) return false;
    if (is) since.set(id, clock.monotonic());
    else since.delete(id);
    return true;
  };
  const msSince = (since: Map<string, number>, id: string): number | undefined => {
    const at = since.get(id);
    return at === undefined ? undefined : clock.monotonic() - at;
  };
  for (const { id } of links.list()) look(id);
  links.onChange(look);
  peers.onChange((_, after, before) => {
    for (const id of new Set([after?.spec.id, before?.spec.id])) if (id !== undefined) look(id);
  });
  return {
    lostForMs: (cluster) => msSince(lostAt, cluster),
    goneForMs(cluster) {
      // Nothing tells of one that was none before the agent started.
      note(goneAt, cluster, isGone(cluster));
      return msSince(goneAt, cluster);
    },
    onChange: (listener) => listeners.push(listener),
  };
}
