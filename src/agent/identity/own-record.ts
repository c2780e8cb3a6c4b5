import { isDeepStrictEqual } from 'node:util';
import { formatEndpoint, parseEndpoint } from '../../core/membership/endpoint.ts';
import { type FederationObject, toMemberName } from '../../core/membership/peer-object.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { versionOf } from '../../core/membership/record-version.ts';
import { signRecord } from '../../core/membership/signed-record.ts';
import type { NetworkClaim } from '../../core/network/network-claim.ts';
import { type Bucket, type RateLimit, takeToken } from '../../core/rate-limit.ts';
import { oneAtATime } from '../../runtime/one-at-a-time.ts';
import { PROTOCOL_VERSION } from '../../wire/endpoints.ts';
import type { OwnMember } from '../ports.ts';

export interface OwnRecordDeps {
  identity: { id: string; key: string; certificateDer: string };
  /** What holds where the Federation object says nothing. */
  defaults: { name: string; endpoints: string[] };
  /** Keeps the last record over restarts, so that an incarnation is never used twice. */
  load(): Promise<PeerRecord | undefined>;
  save(record: PeerRecord): Promise<void>;
}

/** Two agents with one key, as after the copy of a machine, would correct each other without end. */
const CORRECTIONS: RateLimit = { burst: 3, perSecond: 1 / 600 };

/** A key that is to take over from the present one. */
export interface NextKey {
  key: string;
  certificateDer: string;
}

/** Makes and keeps keys (agent/identity/key-replacement). */
export interface KeySuccession<T extends NextKey = NextKey> {
  /** The key of a request, however often it is asked for; undefined when it is in use. */
  next(request: string): Promise<T | undefined>;
  /** The key together with the record that announces it, in one write. */
  keep(next: T, record: PeerRecord): Promise<void>;
  /** Everybody sees it from now on. */
  use(next: T): void;
}

/** This member's own record; a new incarnation is signed and kept whenever what it says changes. */
export class OwnRecord implements OwnMember {
  readonly #deps: OwnRecordDeps;
  readonly #listeners: (() => void)[] = [];
  #record: PeerRecord;
  #isOldCopy = false;
  #corrections: Bucket | undefined;
  /** Or two changes would use the same incarnation. */
  readonly #oneByOne = oneAtATime();

  private constructor(deps: OwnRecordDeps, record: PeerRecord) {
    this.#deps = deps;
    this.#record = record;
  }

  /** Starts from the kept record, or makes the first one. @param federation where it is known already */
  static async create(deps: OwnRecordDeps, federation?: FederationObject): Promise<OwnRecord> {
    const kept = await deps.load();
    const { id, key, certificateDer: certificate } = deps.identity;
    const isOwn = kept !== undefined && kept.id === id;
    if (isOwn && kept.certificate === certificate) return new OwnRecord(deps, kept);
    // By an earlier key: this agent's former life wrote it when it had not heard yet that the next one was kept.
    const record = isOwn
      ? signRecord({ ...contentOfRecord(kept), certificate, incarnation: kept.incarnation + 1 }, key)
      : signRecord({ ...contentOf(deps, federation), incarnation: 1 }, key);
    await deps.save(record);
    return new OwnRecord(deps, record);
  }

  get id(): string {
    return this.#record.id;
  }

  record(): PeerRecord {
    return this.#record;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Takes over what the Federation object says now. */
  refresh(federation: FederationObject | undefined): Promise<void> {
    return this.#change(({ network, left }) => ({
      ...contentOf(this.#deps, federation),
      ...(network === undefined ? {} : { network }),
      ...(left === undefined ? {} : { left }),
    }));
  }

  /** Takes over the claim of the pod network, or its end. */
  setNetwork(network: NetworkClaim | undefined): Promise<void> {
    return this.#change(({ network: _, ...content }) => (network === undefined ? content : { ...content, network }));
  }

  /** The last word: this member is none any more. */
  leave(): Promise<void> {
    return this.#change((content) => ({ ...content, left: true }));
  }

  /** It means to be a member again. */
  rejoin(): Promise<void> {
    return this.#change(({ left: _, ...content }) => content);
  }

  /**
   * Others know a newer record of this member than it does: it comes from a backup. Its own key signed that, and it goes on from
   * there; or a later one did, and then it is an old copy that nobody hears any more.
   * @param now monotonic ms
   */
  hear(heard: PeerRecord, now: number): Promise<void> {
    return this.#oneByOne(async () => {
      const { certificateDer: certificate, key } = this.#deps.identity;
      if (heard.id !== this.id || versionOf(heard) <= versionOf(this.#record)) return;
      if (heard.certificate !== certificate) {
        if (this.#isOldCopy) return;
        this.#isOldCopy = true;
        return this.#tell();
      }
      const bucket = takeToken(CORRECTIONS, this.#corrections, now);
      if (bucket === undefined) return;
      this.#corrections = bucket;
      const { incarnation } = heard;
      const record = signRecord({ ...contentOfRecord(this.#record), certificate, incarnation: incarnation + 1 }, key);
      await this.#deps.save(record);
      this.#announce(record);
    });
  }

  /** Others know a later key of this member than it has. */
  get isOldCopy(): boolean {
    return this.#isOldCopy;
  }

  /**
   * The key of this request signs from now on; it is kept before anybody sees it. Harmless when it does already.
   * @param succession what it throws when there is no further key is thrown here
   * @returns whether it did not before
   */
  replaceKey<T extends NextKey>(succession: KeySuccession<T>, request: string): Promise<boolean> {
    return this.#oneByOne(async () => {
      const next = await succession.next(request);
      if (next === undefined) return false;
      const { key, certificateDer: certificate } = next;
      const { incarnation } = this.#record;
      const record = signRecord({ ...contentOfRecord(this.#record), certificate, incarnation: incarnation + 1 }, key);
      await succession.keep(next, record);
      succession.use(next);
      this.#announce(record);
      return true;
    });
  }

  #change(to: (present: RecordContent) => RecordContent): Promise<void> {
    return this.#oneByOne(async () => {
      const present = contentOfRecord(this.#record);
      const wanted = to(present);
      if (isDeepStrictEqual(present, wanted)) return;
      const { certificateDer: certificate, key } = this.#deps.identity;
      const { incarnation } = this.#record;
      const record = signRecord({ ...wanted, certificate, incarnation: incarnation + 1 }, key);
      await this.#deps.save(record);
      this.#announce(record);
    });
  }

  #announce(record: PeerRecord): void {
    this.#record = record;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

type RecordContent = Omit<PeerRecord, 'signature' | 'vouch' | 'incarnation'>;

function contentOfRecord(record: PeerRecord): RecordContent {
  const { signature: _signature, vouch: _vouch, incarnation: _incarnation, ...content } = record;
  return content;
}

function contentOf(deps: OwnRecordDeps, federation: FederationObject | undefined): RecordContent {
  const { name, endpoints = [] } = federation?.spec ?? {};
  const { identity, defaults } = deps;
  return {
    id: identity.id,
    name: toMemberName(name ?? defaults.name),
    endpoints: (endpoints.length > 0 ? endpoints : defaults.endpoints).map((one) => formatEndpoint(parseEndpoint(one))),
    certificate: identity.certificateDer,
    protocol: PROTOCOL_VERSION,
  };
}
