import { isDeepStrictEqual } from 'node:util';
import { formatEndpoint, parseEndpoint } from '../../core/membership/endpoint.ts';
import { type FederationObject, toMemberName } from '../../core/membership/peer-object.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { signRecord } from '../../core/membership/signed-record.ts';
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
  async refresh(federation: FederationObject | undefined): Promise<void> {
    const wanted = contentOf(this.#deps, federation);
    const { signature: _signature, vouch: _vouch, incarnation, ...present } = this.#record;
    if (isDeepStrictEqual(present, wanted)) return;
    const record = signRecord({ ...wanted, incarnation: incarnation + 1 }, this.#deps.identity.key);
    await this.#deps.save(record);
    this.#record = record;
    for (const listener of this.#listeners) listener();
  }
}

function contentOf(
  deps: OwnRecordDeps,
  federation: FederationObject | undefined,
): Omit<PeerRecord, 'signature' | 'vouch' | 'incarnation'> {
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
