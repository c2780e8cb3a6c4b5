import { CodedError } from '../core/coded-error.ts';
import type { MemberLink } from './member-link.ts';
import type { PeerInspection, PeerInspector } from './ports.ts';

/** The ways to peers, for people who look for a fault. */
export function createPeerInspector(links: {
  get(id: string): MemberLink | undefined;
  list(): MemberLink[];
}): PeerInspector {
  const find = (id: string): MemberLink => {
    const link = links.get(id);
    if (link !== undefined) return link;
    throw new CodedError('NotFound', 'this is no member any more');
  };
  return {
    list: () => links.list().map(inspect),
    reach: async (id, signal) => find(id).tryEndpoints(signal),
    askReach: async (id, signal) => find(id).askReach(signal),
  };
}

function inspect({ id, name, state, via, connection, version, clockSkewMs }: MemberLink): PeerInspection {
  const openedBy = connection === undefined ? undefined : connection.dialed ? 'here' : 'there';
  return { id, name, state, via, openedBy, version, clockSkewMs };
}
