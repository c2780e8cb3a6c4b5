import type { PeerObject } from '../../core/membership/peer-object.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { peerObjectName } from '../../core/membership/roster.ts';
import { isAlreadyExists, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PEERS } from '../../kube/resources.ts';

/** Writes members' records to their Peer objects. */
export class PeerObjectWriter {
  readonly #client: Pick<KubeClient, 'get' | 'create' | 'patch' | 'delete'>;

  constructor(client: Pick<KubeClient, 'get' | 'create' | 'patch' | 'delete'>) {
    this.#client = client;
  }

  /**
   * Under the member's name, or told apart by its ID where another one has that name.
   * @param taken IDs by the names that are taken, as far as is known here
   */
  async create(spec: PeerRecord, taken: ReadonlyMap<string, string>): Promise<PeerObject> {
    const name = peerObjectName(spec, taken);
    try {
      return await this.#client.create<PeerObject>(PEERS, { metadata: { name }, spec });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    const existing = await this.#client.get<PeerObject>(PEERS, { name });
    if (existing.spec.id === spec.id) return existing;
    const apart = `${spec.name}-${spec.id.slice(0, 6)}`;
    return this.#client.create<PeerObject>(PEERS, { metadata: { name: apart }, spec });
  }

  /** Gives the object as it is then, with the record as it was signed. */
  async update(name: string, before: PeerRecord, record: PeerRecord): Promise<PeerObject> {
    // A merge patch: what the record has no more must be said.
    const leaves = before.network !== undefined && record.network === undefined;
    const spec = leaves ? { ...record, network: null } : record;
    return { ...(await this.#client.patch<PeerObject>(PEERS, { name }, { spec })), spec: record };
  }

  /** Harmless when it is gone already. */
  async delete(name: string): Promise<void> {
    try {
      await this.#client.delete(PEERS, { name });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
