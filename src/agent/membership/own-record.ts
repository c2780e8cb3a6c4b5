import { isDeepStrictEqual } from 'node:util';
import { formatEndpoint, parseEndpoint } from '../../core/membership/endpoint.ts';
import { type FederationObject, toMemberName } from '../../core/membership/peer-object.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { signRecord } from '../../core/membership/signed-record.ts';
import type { NetworkClaim } from '../../core/network/network-claim.ts';
import { PROTOCOL_VERSION } from '../../wire/endpoints.ts';
import type { OwnIdentity } from '../ports.ts';

export interface OwnRecordDeps {
  identity: { id: string; key: string; certificateDer: string };
  /** What holds where the Federation object says nothing. */
  defaults: { name: string; endpoints: string[] };
  /** Keeps the last record over restarts, so that an incarnation is never used twice. */
  load(): Promise<PeerRecord | undefined>;
  save(record: PeerRecord): Promise<void>;
}

/** This member's own record; a new incarnation is signed and kept whenever what it says changes. */
export class OwnRecord implements OwnIdentity {
  readonly #deps: OwnRecordDeps;
  readonly #listeners: (() => void)[] = [];
  #record: PeerRecord;
  #changing: Promise<void> = Promise.resolve();

  private constructor(deps: OwnRecordDeps, record: PeerRecord) {
    this.#deps = deps;
    this.#record = record;
  }

  /** Starts from the kept record, or makes the first one. @param federation where it is known already */
  static async create(deps: OwnRecordDeps, federation?: FederationObject): Promise<OwnRecord> {
    const kept = await deps.load();
    if (kept !== undefined && kept.id === deps.identity.id) return new OwnRecord(deps, kept);
    const record = signRecord({ ...contentOf(deps, federation), incarnation: 1 }, deps.identity.key);
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
    const content = contentOf(this.#deps, federation);
    return this.#change(({ network, left }) => ({
      ...content,
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

  /** One change after the other, or two would use the same incarnation. */
  #change(to: (present: RecordContent) => RecordContent): Promise<void> {
    const done = this.#changing.then(async () => {
      const { signature: _signature, vouch: _vouch, incarnation, ...present } = this.#record;
      const wanted = to(present);
      if (isDeepStrictEqual(present, wanted)) return;
      const record = signRecord({ ...wanted, incarnation: incarnation + 1 }, this.#deps.identity.key);
      await this.#deps.save(record);
      this.#record = record;
      for (const listener of this.#listeners) listener();
    });
    this.#changing = done.catch(() => {});
    return done;
  }
}

type RecordContent = Omit<PeerRecord, 'signature' | 'vouch' | 'incarnation'>;

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
