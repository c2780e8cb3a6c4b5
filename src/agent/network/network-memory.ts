import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../../core/kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../../core/labels.ts';
import { type Holders, NO_HOLDERS, parseHolders } from '../../core/network/claim-holders.ts';
import { createWireGuardKeys, publicKeyOf, type WireGuardKeys } from '../../core/network/wireguard-key.ts';
import { isAlreadyExists, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SECRETS } from '../../kube/resources.ts';

/**
 * The Secret of the pod network, in the agent's namespace: this member's WireGuard key, whose it is, and who was seen to hold
 * which prefix and key. Deleting it and restarting the agent makes a new key.
 */
export const NETWORK_SECRET = 'headcut-network';
const KEY = 'privateKey';
const OWNER = 'clusterId';
const HOLDERS = 'holders.json';

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

type Client = Pick<KubeClient, 'get' | 'create' | 'patch'>;

export interface NetworkMemoryDeps {
  client: Client;
  namespace: string;
  /** The cluster's ID: the key of another one, as on a copied machine that got a new identity, is not taken over. */
  ownId: string;
}

/** What the pod network must not forget over restarts. */
export class NetworkMemory {
  readonly keys: WireGuardKeys;
  readonly #deps: NetworkMemoryDeps;
  #stored: Holders | undefined;
  #holders: Holders;

  private constructor(deps: NetworkMemoryDeps, keys: WireGuardKeys, stored: Holders | undefined) {
    this.#deps = deps;
    this.keys = keys;
    this.#stored = stored;
    this.#holders = stored ?? NO_HOLDERS;
  }

  /** Reads the Secret, or makes it at the first start. Two racing starts end with the same key: the Secret is created once. */
  static async load(deps: NetworkMemoryDeps): Promise<NetworkMemory> {
    const data = (await read(deps)) ?? (await create(deps));
    const keys = keysOf(data);
    const owner = textOf(data, OWNER);
    if (keys !== undefined && owner === deps.ownId)
      return new NetworkMemory(deps, keys, parseHolders(textOf(data, HOLDERS)));
    // A key that cannot be read is as good as none. One from before owners were noted is ours.
    const isOurs = keys !== undefined && owner === undefined;
    const next = isOurs ? keys : createWireGuardKeys();
    await patch(deps, { [KEY]: next.privateKey, [OWNER]: deps.ownId, [HOLDERS]: null });
    return new NetworkMemory(deps, next, undefined);
  }

  /** Nothing was ever stored: this is a new member, or its former build kept nothing. */
  get isFresh(): boolean {
    return this.#stored === undefined;
  }

  holders(): Holders {
    return this.#holders;
  }

  keep(holders: Holders): void {
    this.#holders = holders;
  }

  get isStored(): boolean {
    return isDeepStrictEqual(this.#stored, this.#holders);
  }

  async store(): Promise<void> {
    const holders = this.#holders;
    await patch(this.#deps, { [HOLDERS]: JSON.stringify(holders) });
    this.#stored = holders;
  }
}

async function read({ client, namespace }: NetworkMemoryDeps): Promise<Record<string, string> | undefined> {
  try {
    const { data } = await client.get<SecretObject>(SECRETS, { namespace, name: NETWORK_SECRET });
    return data ?? {};
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function create(deps: NetworkMemoryDeps): Promise<Record<string, string>> {
  const { client, namespace, ownId } = deps;
  const data = { [KEY]: encoded(createWireGuardKeys().privateKey), [OWNER]: encoded(ownId) };
  const metadata = { name: NETWORK_SECRET, namespace, labels: { [MANAGED_BY_LABEL]: MANAGED_BY } };
  try {
    await client.create<SecretObject>(SECRETS, { metadata, type: 'Opaque', data });
    return data;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return (await read(deps)) ?? data;
  }
}

async function patch({ client, namespace }: NetworkMemoryDeps, fields: Record<string, string | null>): Promise<void> {
  const data = Object.fromEntries(
    Object.entries(fields).map(([name, text]) => [name, text === null ? null : encoded(text)]),
  );
  await client.patch(SECRETS, { namespace, name: NETWORK_SECRET }, { data });
}

function keysOf(data: Record<string, string>): WireGuardKeys | undefined {
  const privateKey = textOf(data, KEY);
  if (privateKey === undefined || Buffer.from(privateKey, 'base64').length !== 32) return undefined;
  return { privateKey, publicKey: publicKeyOf(privateKey) };
}

function textOf(data: Record<string, string>, name: string): string | undefined {
  return data[name] === undefined ? undefined : Buffer.from(data[name], 'base64').toString('utf8');
}

const encoded = (text: string): string => Buffer.from(text).toString('base64');
