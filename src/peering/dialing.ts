import type { Duplex } from 'node:stream';
import { preferEndpoint } from '../core/membership/endpoint.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import { type DialContext, dialDedicated, dialPeer, dialThrough } from './dial-peer.ts';
import type { PeerConnection } from './peer-connection.ts';

/** Opens connections to members, pinned to their keys. */
export interface Dialing {
  /** At whichever endpoint answers first. @param last the endpoint that was reached last, tried first */
  toPeer(
    record: PeerRecord,
    last: string | undefined,
    signal: AbortSignal,
  ): Promise<{ connection: PeerConnection; endpoint: string }>;
  /** For one stream of much data. */
  dedicated(record: PeerRecord, endpoint: string, signal: AbortSignal): Promise<Duplex>;
  /** Over a stream that leads to the peer's port. @param via ID of the member that carries it */
  through(record: PeerRecord, carrier: Duplex, via: string, signal: AbortSignal): Promise<PeerConnection>;
}

/** Dials over TCP and TLS. */
export function createDialing(context: DialContext): Dialing {
  return {
    toPeer: (record, last, signal) => dialPeer(record, preferEndpoint(record.endpoints, last), context, signal),
    dedicated: (record, endpoint, signal) => dialDedicated(record, endpoint, context, signal),
    through: (record, carrier, via, signal) =>
      dialThrough(record, carrier, { ...context, hello: { ...context.hello, via } }, signal),
  };
}
