import { type Amounts, amountOf, amountsFrom } from '../../core/quantities/resources.ts';
import type { PeerLink } from '../ports.ts';
import type { PeerFigures } from './metrics.ts';

/** What metrics tell of a peer. */
export function peerFigures(link: Pick<PeerLink, 'name' | 'state' | 'pods' | 'offer'>): PeerFigures {
  const { name, state, pods, offer } = link;
  if (offer === undefined) return { name, state, pods: pods.size };
  const amounts = amountsFrom(offer.allocatable);
  const offered = {
    cpuCores: units(amounts, 'cpu'),
    memoryBytes: units(amounts, 'memory'),
    pods: units(amounts, 'pods'),
  };
  return { name, state, pods: pods.size, offer: offered };
}

function units(amounts: Amounts, resource: string): number {
  return Number(amountOf(amounts, resource)) / 1000;
}
