import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createJoinDesk } from '../../../src/agent/joining/join-desk.ts';
import type { KubeObject } from '../../../src/core/kube-objects.ts';
import { encodeData } from '../../../src/core/membership/join-secrets.ts';
import { hashSecret } from '../../../src/core/membership/join-token.ts';
import { signJoin } from '../../../src/core/membership/signed-record.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createMember, type TestMember, withNextKey } from '../../core/membership/member-fixture.ts';
import { FakeRoster } from '../../peering/peer-server-fixture.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const SECRET = 'the-secret';

let host: TestMember;
let newcomer: TestMember;
let another: TestMember;
let stored: KubeObject;
let roster: FakeRoster;

beforeAll(async () => {
  host = await createMember('host');
  newcomer = await createMember('newcomer');
  another = await createMember('another');
});

beforeEach(() => {
  roster = new FakeRoster([host.record]);
  const data = encodeData({ secretHash: hashSecret(SECRET), expiresAt: '2026-01-01T12:15:00Z' });
  stored = { metadata: { name: 'headcut-invitation-1', namespace: 'ns', resourceVersion: '1' }, data };
});

/** One Secret with the optimistic locking of an API server. */
const client: Pick<KubeClient, 'get' | 'replace'> = {
  get: <T extends KubeObject>(_type: unknown, address: { name?: string | undefined }): Promise<T> =>
    address.name === stored.metadata.name
      ? Promise.resolve(structuredClone(stored) as T)
      : Promise.reject(new ApiError(404, { reason: 'NotFound' })),
  replace: <T extends KubeObject>(_type: unknown, object: T): Promise<T> => {
    const { resourceVersion } = stored.metadata;
    if (object.metadata.resourceVersion !== resourceVersion)
      return Promise.reject(new ApiError(409, { reason: 'Conflict' }));
    stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(Number(resourceVersion) + 1) } };
    return Promise.resolve(object);
  },
};

function ask(
  member: TestMember,
  change: { secret?: string; invitation?: string; signature?: string; now?: number } = {},
) {
  const { secret = SECRET, invitation = '1', now = NOW } = change;
  const clock = { ...systemClock, now: () => now };
  const desk = createJoinDesk({ ownId: host.id, client, namespace: 'ns', membership: roster, roster, clock });
  const signature = change.signature ?? signJoin(host.id, invitation, member.key);
  return desk({ record: member.record, invitation, secret, signature });
}

const memberIds = (): string[] => roster.records().map((record) => record.id);

describe('the join desk', () => {
  it('admits a newcomer with a good token and answers all members, itself first', async () => {
    const { records } = await ask(newcomer);
    expect(records.map((record) => record.id)).toEqual([host.id, newcomer.id]);
    expect(memberIds()).toContain(newcomer.id);
  });

  it('admits the same newcomer again, so that a half-done join can be repeated', async () => {
    await ask(newcomer);
    await expect(ask(newcomer, { now: NOW + 3_600_000 })).resolves.toBeDefined();
  });

  it('says who used a token, and when, to anybody else who comes with it', async () => {
    await ask(newcomer);
    await expect(ask(another)).rejects.toMatchObject({
      code: 'FailedPrecondition',
      message: /used already, by newcomer at 2026-01-01T12:00:00.000Z.*headcut invite/,
    });
  });

  it('lets exactly one of two win who spend the same token at once', async () => {
    const outcomes = await Promise.allSettled([ask(newcomer), ask(another)]);
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(memberIds()).toHaveLength(2);
  });

  it('admits as many as the invitation says, also at once, and no more', async () => {
    stored.data = { ...(stored.data as Record<string, string>), ...encodeData({ maxUses: 2 }) };
    await Promise.all([ask(newcomer), ask(another)]);
    expect(memberIds()).toEqual(expect.arrayContaining([newcomer.id, another.id]));
    const third = await createMember('third');
    await expect(ask(third)).rejects.toMatchObject({ message: /by (newcomer|another) .*it admits 2 clusters/ });
  });

  it.each([
    ['expired', { now: NOW + 16 * 60_000 }, 'FailedPrecondition', /expired at 2026-01-01T12:15:00Z/],
    ['altered', { secret: 'guess' }, 'Unauthenticated', /altered/],
    ['unknown', { invitation: '2' }, 'FailedPrecondition', /not known any more/],
    ['presented without its key', { signature: 'AAAA' }, 'Unauthenticated', /did not prove/],
  ])('refuses a token that is %s, and changes nothing', async (_what, change, code, message) => {
    const before = structuredClone(stored);
    await expect(ask(newcomer, change)).rejects.toMatchObject({ code, message });
    expect([stored, memberIds()]).toEqual([before, [host.id]]);
  });

  it('refuses itself, without spending the token', async () => {
    await expect(ask(host)).rejects.toMatchObject({ code: 'FailedPrecondition', message: /this very cluster/ });
    await expect(ask(newcomer)).resolves.toBeDefined();
  });

  it('refuses a member that comes with a key that it has replaced, and says why, without spending the token', async () => {
    roster.set([host.record, (await withNextKey(newcomer)).record]);
    const before = structuredClone(stored);
    await expect(ask(newcomer)).rejects.toMatchObject({
      code: 'FailedPrecondition',
      message: /newcomer is a member by a later key.*backup.*headcut forget newcomer/,
    });
    expect(stored).toEqual(before);
    await expect(ask(await withNextKey(await withNextKey(another)))).resolves.toBeDefined();
  });

  it('refuses a record that was changed on the way', async () => {
    const changed = { ...newcomer, record: { ...newcomer.record, name: 'mallory' } };
    await expect(ask(changed)).rejects.toMatchObject({ code: 'InvalidArgument' });
    expect(memberIds()).toEqual([host.id]);
  });
});
