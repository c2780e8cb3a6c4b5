import type { PeerRecord } from '../../core/membership/peer-record.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { PeerLink } from '../ports.ts';

/** Who cannot be told within this learns it from the others. */
const FAREWELL_WITHIN_MS = 5_000;

/** Tells everybody who can be reached the own last record. Bounded in time. @returns how many there are to tell */
export async function sayFarewell(links: readonly PeerLink[], record: PeerRecord, clock: Clock): Promise<number> {
  const connected = links.filter((link) => link.state === 'Connected');
  const telling = Promise.allSettled(connected.map((link) => link.call('roster', { body: { records: [record] } })));
  await Promise.race([telling, clock.sleep(FAREWELL_WITHIN_MS)]);
  return connected.length;
}
