import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OwnRecord } from '../../../src/agent/identity/own-record.ts';
import { createJoinRequests, type JoinSecret } from '../../../src/agent/joining/join-requests.ts';
import { CodedError } from '../../../src/core/coded-error.ts';
import { encodeData, JOIN_RESULT_ANNOTATION, type JoinResult } from '../../../src/core/membership/join-secrets.ts';
import { formatJoinToken } from '../../../src/core/membership/join-token.ts';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import { isJoinSignedBy } from '../../../src/core/membership/signed-record.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { ChangeListener } from '../../../src/kube/store.ts';
import type { JoinReply, JoinRequest } from '../../../src/peering/serving.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { createMember, type TestMember } from '../../core/membership/member-fixture.ts';
import { eventually, startServer } from '../../peering/peer-server-fixture.ts';

const cleanups: (() => unknown)[] = [];
let inviter: TestMember;
let newcomer: TestMember;

beforeAll(async () => {
  inviter = await createMember('inviter');
  newcomer = await createMember('newcomer');
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Puts a join Secret before the feature, and gives the outcome that is written on it. */
async function handOver(token: string): Promise<{ result: JoinResult; accepted: PeerRecord[] }> {
  const secret: JoinSecret = {
    metadata: { name: 'headcut-join-1', namespace: 'ns', uid: 'u' },
    data: encodeData({ token }),
  };
  const listeners: ChangeListener<JoinSecret>[] = [];
  const accepted: PeerRecord[] = [];
  let written: string | undefined;
  const client = {
    patch: (_type: unknown, _address: unknown, patch: { metadata: { annotations: Record<string, string> } }) => {
      written = patch.metadata.annotations[JOIN_RESULT_ANNOTATION];
      return Promise.resolve(secret);
    },
    delete: () => Promise.resolve(),
  } as unknown as Pick<KubeClient, 'patch' | 'delete'>;
  const controller = createJoinRequests({
    client,
    namespace: 'ns',
    secrets: {
      synced: true,
      whenSynced: () => Promise.resolve(),
      get: () => secret,
      list: () => [secret],
      onChange: (listener) => void listeners.push(listener),
    },
    identity: newcomer,
    own: await OwnRecord.create({
      identity: newcomer,
      defaults: { name: 'newcomer', endpoints: ['127.0.0.1:1'] },
      load: () => Promise.resolve(newcomer.record),
      save: () => Promise.resolve(),
    }),
    membership: {
      accept: (records) => {
        accepted.push(...records);
        return Promise.resolve();
      },
    },
    links: { get: () => undefined, list: () => [] },
    clock: systemClock,
    logger: silentLogger,
  });
  const stopped = new AbortController();
  const running = controller.run(stopped.signal);
  cleanups.push(async () => {
    stopped.abort();
    await running;
  });
  for (const listener of listeners) listener('ns/headcut-join-1', secret, undefined);
  return { result: JSON.parse(await eventually(() => written)) as JoinResult, accepted };
}

async function listen(join: (request: JoinRequest) => Promise<JoinReply>): Promise<number> {
  const { server, port } = await startServer(inviter, [], { join });
  cleanups.push(() => server.close());
  return port;
}

function tokenFor(...ports: number[]): string {
  const endpoints = ports.map((port) => `127.0.0.1:${port}`);
  return formatJoinToken({ endpoints, inviter: inviter.id, invitation: 'abc', secret: 's3cret', expiresAt: 0 });
}

/** A port on which nobody listens. */
const CLOSED_PORT = 1;

describe('a token handed to the agent', () => {
  it('is spent with a proof of the own key, and the answered roster is taken over', async () => {
    let asked: JoinRequest | undefined;
    const port = await listen((request) => {
      asked = request;
      return Promise.resolve({ records: [inviter.record] });
    });
    const { result, accepted } = await handOver(tokenFor(port));
    expect(result).toMatchObject({ ok: true, already: false });
    expect(accepted).toEqual([inviter.record]);
    expect(asked).toMatchObject({ record: newcomer.record, invitation: 'abc', secret: 's3cret' });
    expect(isJoinSignedBy(newcomer.record, inviter.id, 'abc', asked?.signature ?? '')).toBe(true);
  });

  it('is tried at every endpoint', async () => {
    const port = await listen(() => Promise.resolve({ records: [inviter.record] }));
    expect((await handOver(tokenFor(CLOSED_PORT, port))).result.ok).toBe(true);
  });

  it('says which endpoints were tried, and why in vain, when nobody answers', async () => {
    const { result } = await handOver(tokenFor(CLOSED_PORT));
    expect(result).toMatchObject({ ok: false, code: 'Unavailable' });
    expect(result).toMatchObject({ message: expect.stringMatching(/127\.0\.0\.1:1 .*ECONNREFUSED.*not spent/) });
  });

  it('is not shown to somebody else who answers at the endpoint', async () => {
    const { server, port } = await startServer(newcomer, [], {
      join: () => Promise.reject(new CodedError('Internal', 'asked')),
    });
    cleanups.push(() => server.close());
    const { result } = await handOver(tokenFor(port));
    expect(result).toMatchObject({ ok: false, code: 'Unavailable', message: expect.stringMatching(/hold the key/) });
  });

  it('passes on the word of the inviting member, which is final', async () => {
    let asked = 0;
    const refuse = (): Promise<JoinReply> => {
      asked += 1;
      return Promise.reject(new CodedError('FailedPrecondition', 'this token was used already'));
    };
    const ports = [await listen(refuse), await listen(refuse)];
    const { result, accepted } = await handOver(tokenFor(...ports));
    expect(result).toEqual({ ok: false, code: 'FailedPrecondition', message: 'this token was used already' });
    expect([asked, accepted]).toEqual([1, []]);
  });

  it('is refused when it is no token, or the own one', async () => {
    expect((await handOver('nonsense')).result).toMatchObject({ ok: false, code: 'InvalidArgument' });
    const own = formatJoinToken({
      endpoints: ['x:1'],
      inviter: newcomer.id,
      invitation: 'a',
      secret: 's',
      expiresAt: 0,
    });
    expect((await handOver(own)).result).toMatchObject({
      ok: false,
      message: expect.stringMatching(/this very cluster/),
    });
  });
});
