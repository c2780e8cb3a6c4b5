import { CodedError } from '../core/coded-error.ts';
import { plainLine } from '../core/plain-text.ts';
import type { Peer } from './peer.ts';
import type { PeerInspection, PeerInspector } from './ports.ts';

/** The ways to peers, for people who look for a fault. */
export function createPeerInspector(peers: { get(id: string): Peer | undefined; list(): Peer[] }): PeerInspector {
  const find = (id: string): Peer => {
    const peer = peers.get(id);
    if (peer !== undefined) return peer;
    throw new CodedError('NotFound', 'this is no member any more');
  };
  return {
    list: () => peers.list().map(inspect),
    reach: async (id, signal) => find(id).tryEndpoints(signal),
    askReach: async (id, signal) => {
      const { endpoints } = await find(id).call('reach', {}, signal);
      return endpoints.map(({ endpoint, ok, problem = 'it does not say why' }) =>
        ok ? { endpoint: plainLine(endpoint), ok } : { endpoint: plainLine(endpoint), ok, problem: plainLine(problem) },
      );
    },
  };
}

function inspect({ id, name, state, status }: Peer): PeerInspection {
  const { via, openedBy, version, clockSkewMs } = status;
  return { id, name, state, via, openedBy, version, clockSkewMs };
}
