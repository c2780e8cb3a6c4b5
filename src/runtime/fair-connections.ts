import type { Server, Socket } from 'node:net';
import { FairShares, type ShareLimits } from './fair-shares.ts';

/**
 * Connections of a port, shared by the addresses that they come from: who opens many leaves room for others, and each address has
 * a few of its own. What is over a share is closed at once.
 */
export type FairConnections = (socket: Socket) => boolean;

/** @param limits where owners and members are addresses alike. @returns counts a connection; false when it was closed */
export function createFairConnections(limits: Omit<ShareLimits, 'perMember'>): FairConnections {
  const shares = new FairShares({ ...limits, perMember: limits.perOwner });
  return (socket) => {
    const from = socket.remoteAddress;
    const giveBack = from === undefined ? undefined : shares.take(from, from);
    if (giveBack === undefined) {
      socket.destroy();
      return false;
    }
    socket.once('close', giveBack);
    return true;
  };
}

/** Counts what arrives at a server before anything is read of it. */
export function shareConnections(server: Server, fair: FairConnections): void {
  server.prependListener('connection', (socket: Socket) => void fair(socket));
}
