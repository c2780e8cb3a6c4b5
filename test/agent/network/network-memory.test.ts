import { describe, expect, it } from 'vitest';
import { NetworkMemory } from '../../../src/agent/network/network-memory.ts';
import type { KubeObject } from '../../../src/core/kube-objects.ts';
import { NO_HOLDERS } from '../../../src/core/network/claim-holders.ts';
import { createWireGuardKeys } from '../../../src/core/network/wireguard-key.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';

type SecretData = Record<string, string>;

/** One Secret. */
function secretStore(initial?: SecretData) {
  const store = { data: initial, writes: 0 };
  const client = {
    get: async () => {
      if (store.data === undefined) throw new ApiError(404, { reason: 'NotFound' });
      return { metadata: { name: 's' }, data: { ...store.data } };
    },
    create: async (_type: unknown, object: KubeObject & { data?: SecretData }) => {
      store.data = object.data ?? {};
      return object;
    },
    patch: async (_type: unknown, _address: unknown, { data }: { data: Record<string, string | null> }) => {
      store.writes += 1;
      const merged = { ...store.data, ...data };
      store.data = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)) as SecretData;
      return { metadata: { name: 's' } };
    },
  } as unknown as Pick<KubeClient, 'get' | 'create' | 'patch'>;
  const load = (ownId = 'me') => NetworkMemory.load({ client, namespace: 'n', ownId });
  return { store, load };
}

const holding = { id: 'b', publicKey: createWireGuardKeys().publicKey, prefix: '100.64.2.0/24' };
const encoded = (text: string): string => Buffer.from(text).toString('base64');

describe('what the pod network keeps over restarts', () => {
  it('is the key and who held what', async () => {
    const { store, load } = secretStore();
    const first = await load();
    expect(first.isFresh).toBe(true);
    first.keep({ ...NO_HOLDERS, held: [holding] });
    expect(first.isStored).toBe(false);
    await first.store();
    expect([first.isStored, store.writes]).toEqual([true, 1]);
    const second = await load();
    expect(second.keys).toEqual(first.keys);
    expect(second.isFresh).toBe(false);
    expect(second.holders().held).toEqual([holding]);
  });

  it('is not taken over by a copy of the machine that has an identity of its own', async () => {
    const { load } = secretStore();
    const original = await load('original');
    original.keep({ ...NO_HOLDERS, held: [holding] });
    await original.store();
    const copy = await load('copy');
    expect(copy.keys.publicKey).not.toBe(original.keys.publicKey);
    expect(copy.holders()).toEqual(NO_HOLDERS);
    expect((await load('copy')).keys).toEqual(copy.keys);
  });

  it('takes over the key of the former build, which noted no owner, and notes it', async () => {
    const keys = createWireGuardKeys();
    const { load } = secretStore({ privateKey: encoded(keys.privateKey) });
    expect((await load()).keys).toEqual(keys);
    expect((await load('copy')).keys).not.toEqual(keys);
  });

  it('is a new key where the stored one cannot be read', async () => {
    const { load } = secretStore({ privateKey: encoded('no key'), clusterId: encoded('me') });
    const memory = await load();
    expect((await load()).keys).toEqual(memory.keys);
  });
});
