import type { PeerRecord } from '../../core/membership/peer-record.ts';
import type { RosterVersions } from '../../core/membership/roster-digest.ts';
import type { Peers } from '../../peering/peers.ts';
import type { CallHandlers } from '../../peering/serving.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { MembersToHear, MembersToTell, OwnIdentity, Roster } from '../ports.ts';
import { type Intake, RecordIntake } from './record-intake.ts';
import { RosterExchange } from './roster-exchange.ts';
import { ToldRoster } from './told-roster.ts';

export interface RostersDeps {
  own: OwnIdentity;
  /** Its key may be another one tomorrow. */
  identity: { key: string };
  members: { telling: MembersToTell; hearing: MembersToHear };
  /** The ways to the members. */
  ways: Pick<Peers, 'get' | 'onNews' | 'onChange'>;
  clock: Clock;
  logger: Logger;
}

/** What members tell each other about members; who is one is decided by membership. */
export class Rosters implements Roster {
  readonly #deps: RostersDeps;
  readonly #told: ToldRoster;
  readonly #intake: RecordIntake;
  readonly #exchange: RosterExchange;
  readonly #listeners: (() => void)[] = [];

  constructor(deps: RostersDeps) {
    this.#deps = deps;
    const { own, identity, members, ways, clock, logger } = deps;
    this.#told = new ToldRoster({ own, identity, members: members.telling });
    this.#intake = new RecordIntake({ members: members.hearing, clock, logger });
    this.#exchange = new RosterExchange({
      own: this.#told,
      ask: (id) => this.#differenceWith(id),
      tell: (records, id) => this.tell(records, id),
      clock,
      logger,
    });
    ways.onNews({
      onRecords: (id, records) => this.#intake.note(records, id),
      onDigest: (id, digest) => this.#exchange.heard(id, digest),
    });
    ways.onChange((_id, change) => {
      if (change === 'state') this.#exchange.look();
    });
    members.telling.onChange((gone) => this.#changed(gone));
  }

  /** The own record first. Each other one carries the voucher of a member that is in the list, or our own. */
  records(): PeerRecord[] {
    return this.#told.records();
  }

  told(): PeerRecord[] {
    return this.#told.withLeft();
  }

  digest(): string {
    return this.#told.digest();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Takes in what a member tells. @returns whether all of it was looked at */
  tell(records: readonly PeerRecord[], from: string): Promise<Intake> {
    return this.#intake.tell(records, from);
  }

  /** What members ask each other about members. */
  get calls(): Pick<CallHandlers, 'roster' | 'rosterDifference'> {
    return {
      roster: async ({ peerId, body }) => {
        await this.tell(body.records, peerId);
        return {};
      },
      rosterDifference: ({ body }) => ({
        digest: this.#told.digest(),
        records: this.#told.missingFrom(body.versions),
      }),
    };
  }

  #changed(gone: string | undefined): void {
    if (gone !== undefined) {
      this.#exchange.gone(gone);
      this.#intake.forget(gone);
    }
    this.#told.changed();
    for (const listener of this.#listeners) listener();
    this.#exchange.look();
  }

  /** How to ask a peer for what is missing here. */
  #differenceWith(id: string) {
    const peer = this.#deps.ways.get(id);
    if (peer === undefined || peer.state === 'Unreachable') return undefined;
    return (versions: RosterVersions, signal: AbortSignal) =>
      peer.call('rosterDifference', { body: { versions } }, signal);
  }
}
