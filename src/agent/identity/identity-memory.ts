import type { KubeObject } from '../../core/kube-objects.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SECRETS } from '../../kube/resources.ts';
import { IDENTITY_SECRET } from './identity.ts';

/** What a member must not forget over restarts, kept beside its key: its last own record, and members that are none any more. */
export class IdentityMemory {
  readonly #client: Pick<KubeClient, 'patch'>;
  readonly #namespace: string;
  #record: PeerRecord | undefined;
  #removed: unknown[];

  private constructor(client: Pick<KubeClient, 'patch'>, namespace: string, data: Record<string, string>) {
    this.#client = client;
    this.#namespace = namespace;
    this.#record = parse<PeerRecord>(data[RECORD_KEY]);
    this.#removed = [...(parse<unknown[]>(data[REMOVED_KEY]) ?? []), ...(parse<unknown[]>(data[LEFT_KEY]) ?? [])];
  }

  static async load(client: Pick<KubeClient, 'get' | 'patch'>, namespace: string): Promise<IdentityMemory> {
    const secret = await client.get<KubeObject & { data?: Record<string, string> }>(SECRETS, {
      namespace,
      name: IDENTITY_SECRET,
    });
    return new IdentityMemory(client, namespace, secret.data ?? {});
  }

  record(): PeerRecord | undefined {
    return this.#record;
  }

  async saveRecord(record: PeerRecord): Promise<void> {
    await this.#save({ [RECORD_KEY]: record });
    this.#record = record;
  }

  /** Members that are none any more, as the feature of membership wrote them. */
  removed(): unknown[] {
    return this.#removed;
  }

  async saveRemoved(entries: unknown[]): Promise<void> {
    // Former versions read the first of the two, and understand nothing but IDs and whole records there.
    const ids = entries.filter((entry) => typeof entry === 'string');
    const others = entries.filter((entry) => typeof entry !== 'string');
    await this.#save({ [REMOVED_KEY]: ids, [LEFT_KEY]: others });
    this.#removed = entries;
  }

  async #save(values: Record<string, unknown>): Promise<void> {
    const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
    const data = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, encoded(value)]));
    await this.#client.patch(SECRETS, { namespace: this.#namespace, name: IDENTITY_SECRET }, { data });
  }
}

export const RECORD_KEY = 'record.json';
const REMOVED_KEY = 'forgotten.json';
const LEFT_KEY = 'left.json';

function parse<T>(encoded: string | undefined): T | undefined {
  return encoded === undefined ? undefined : (JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')) as T);
}
