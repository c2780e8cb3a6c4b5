import type { PeerRecord } from '../../core/membership/peer-record.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { OwnMember, PeerLink, PeerLinks } from '../ports.ts';

export interface LeaveDeps {
  own: OwnMember;
  links: Pick<PeerLinks, 'list'>;
  /** Forgets all members. */
  membership: { clear(): Promise<void> };
  clock: Clock;
  logger: Logger;
}

/** Who cannot be told within this learns it from the others. */
const FAREWELL_WITHIN_MS = 5_000;

/** Tells everybody who can be reached that this is no member any more, and forgets them all. Bounded in time. */
export async function leaveFederation({ own, links, membership, clock, logger }: LeaveDeps): Promise<void> {
  await own.leave();
  const told = await sayFarewell(links.list(), own.record(), clock);
  await membership.clear();
  logger.info({ told }, 'left the federation');
}

/** @returns how many there are to tell */
async function sayFarewell(links: readonly PeerLink[], record: PeerRecord, clock: Clock): Promise<number> {
  const connected = links.filter((link) => link.state === 'Connected');
  const telling = Promise.allSettled(connected.map((link) => link.call('roster', { body: { records: [record] } })));
  await Promise.race([telling, clock.sleep(FAREWELL_WITHIN_MS)]);
  return connected.length;
}
