/** What decides between several open connections to one peer. */
export interface OpenConnection {
  /** This side opened it. */
  dialed: boolean;
  /** The process of the peer that it leads to. */
  peer: { instance: string };
  draining: boolean;
  /** By which keys it was opened: how many came before them. */
  keyGenerations: { own: number; peer: number };
  /** The member that carries it; undefined for a direct one. */
  via: string | undefined;
}

export interface ConnectionChoice<T> {
  use: T | undefined;
  /** To be closed by this side. */
  drop: T[];
  /** Opened by a key that was replaced since: no new calls, but what is under way may go on for a while. */
  outdated: T[];
}

/**
 * The connection to use, of all that are open to one peer, oldest first. Both sides apply the same rules: the peer's latest
 * process, by the latest keys of both, direct before relayed, dialled by the member with the smaller ID, the newest. When both dialled at once, only that
 * member closes the other connection: two who close by slightly different views would end with none.
 */
export function chooseConnection<T extends OpenConnection>(
  ownId: string,
  peerId: string,
  open: readonly T[],
): ConnectionChoice<T> {
  const ownIsSmaller = ownId < peerId;
  const instance = open.at(-1)?.peer.instance;
  const present = open.filter((one) => !one.draining && one.peer.instance === instance);
  const latest = Math.max(...present.map(ageOfKeys));
  const candidates = present.filter((one) => ageOfKeys(one) === latest);
  const rank = (one: T): number => (one.via === undefined ? 2 : 0) + (one.dialed === ownIsSmaller ? 1 : 0);
  const use = candidates.reduce<T | undefined>(
    (best, one) => (best === undefined || rank(one) >= rank(best) ? one : best),
    undefined,
  );
  const drop = open.filter((one) => {
    if (one === use || one.draining) return false;
    if (one.peer.instance !== instance) return true;
    return ageOfKeys(one) === latest && (ownIsSmaller || one.dialed === use?.dialed);
  });
  return { use, drop, outdated: present.filter((one) => ageOfKeys(one) < latest) };
}

/** Keys only ever follow each other, so that both ends find the same connection to be the latest. */
const ageOfKeys = ({ keyGenerations }: OpenConnection): number => keyGenerations.own + keyGenerations.peer;
