import { describe, expect, it } from 'vitest';
import { loadIdentity } from '../../../src/agent/identity/identity.ts';
import { IdentityMemory } from '../../../src/agent/identity/identity-memory.ts';
import type { KubeObject } from '../../../src/core/kube-objects.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createMember } from '../../core/membership/member-fixture.ts';

/** One Secret: create once, merge patches of its data. */
function secretStore(): Pick<KubeClient, 'get' | 'create' | 'patch'> & { stored(): KubeObject | undefined } {
  let stored: (KubeObject & { data?: Record<string, string> }) | undefined;
  return {
    stored: () => stored,
    get: <T extends KubeObject>() =>
      stored === undefined ? Promise.reject(new ApiError(404, {})) : Promise.resolve(stored as unknown as T),
    create: <T extends KubeObject>(_type: unknown, object: T) => {
      if (stored !== undefined) return Promise.reject(new ApiError(409, { reason: 'AlreadyExists' }));
      stored = object;
      return Promise.resolve(object);
    },
    patch: <T extends KubeObject>(_type: unknown, _address: unknown, patch: unknown) => {
      if (stored === undefined) return Promise.reject(new ApiError(404, {}));
      stored = { ...stored, data: { ...stored.data, ...(patch as { data: Record<string, string> }).data } };
      return Promise.resolve(stored as unknown as T);
    },
  };
}

describe('the identity of a member', () => {
  it('is made at the first start and stays the same at later ones', async () => {
    const client = secretStore();
    const first = await loadIdentity(client, 'ns', systemClock);
    expect(first.id).toMatch(/^[a-z2-7]{52}$/);
    expect(await loadIdentity(client, 'ns', systemClock)).toEqual(first);
  });

  it('is one and the same for two agents that start at once', async () => {
    const client = secretStore();
    const [one, two] = await Promise.all([
      loadIdentity(client, 'ns', systemClock),
      loadIdentity(client, 'ns', systemClock),
    ]);
    expect(one).toEqual(two);
  });

  it('is not replaced when the Secret cannot be read', async () => {
    const client = { ...secretStore(), get: () => Promise.reject(new ApiError(500, {})) };
    await expect(loadIdentity(client, 'ns', systemClock)).rejects.toThrow();
    expect(client.stored()).toBeUndefined();
  });

  it('remembers its record and removed members beside the key', async () => {
    const client = secretStore();
    const identity = await loadIdentity(client, 'ns', systemClock);
    const { record } = await createMember('a');
    const memory = await IdentityMemory.load(client, 'ns');
    expect([memory.record(), memory.removed()]).toEqual([undefined, []]);
    await memory.saveRecord(record);
    await memory.saveRemoved(['x', 'y']);
    const again = await IdentityMemory.load(client, 'ns');
    expect([again.record(), again.removed()]).toEqual([record, ['x', 'y']]);
    expect(await loadIdentity(client, 'ns', systemClock)).toEqual(identity);
  });
});
