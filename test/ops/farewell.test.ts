import { describe, expect, it } from 'vitest';
import { ApiError } from '../../src/kube/api-error.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { tryFarewell } from '../../src/ops/farewell.ts';
import { jumpingClock } from '../jumping-clock.ts';
import { fakeCluster } from './leaving-cluster.ts';

const WITHIN_MS = 6_000;

/** @returns what came of it, and how long it took */
async function farewell(client: KubeClient) {
  const clock = jumpingClock();
  const { type } = await tryFarewell(client, { clock, untilMs: WITHIN_MS });
  return { type, tookMs: clock.monotonic() };
}

describe('the farewell of a member that goes anyway', () => {
  it('is said by the agent where a peer hears it', async () => {
    const { client, peers } = fakeCluster({ agent: true });
    expect(await farewell(client)).toEqual({ type: 'told', tookMs: 0 });
    expect(peers.size).toBe(0);
  });

  it('is not waited for where no peer would hear it', async () => {
    const { client, federation } = fakeCluster({ agent: true, peerState: 'Unreachable' });
    expect(await farewell(client)).toEqual({ type: 'not-told', tookMs: 0 });
    expect(federation.metadata.annotations).toEqual({});
  });

  it('is waited for no longer than there is time, when the agent does not say it', async () => {
    const { client } = fakeCluster({ agent: false, status: { name: 'a' } });
    expect(await farewell(client)).toEqual({ type: 'unconfirmed', tookMs: WITHIN_MS });
    const again = await tryFarewell(client, { clock: jumpingClock(), untilMs: WITHIN_MS });
    expect(again).toEqual({ type: 'unconfirmed', members: 2, name: 'a' });
  });

  it('is nothing to a member of no federation, and where the kinds of headcut are gone', async () => {
    const alone = fakeCluster({ agent: true });
    alone.peers.clear();
    expect((await farewell(alone.client)).type).toBe('no-member');
    const gone = () => Promise.reject(new ApiError(404, {}));
    expect((await farewell({ list: gone, get: gone } as unknown as KubeClient)).type).toBe('no-member');
    // The peers are listed, and are gone when it comes to the Federation.
    const { list } = fakeCluster({ agent: true }).client;
    expect((await farewell({ list, get: gone, patch: gone } as unknown as KubeClient)).type).toBe('unconfirmed');
  });

  it('stops the whole where the API server fails', async () => {
    const { list } = fakeCluster({ agent: true }).client;
    const broken = () => Promise.reject(new ApiError(500, { message: 'no disk' }));
    await expect(farewell({ list, get: broken } as unknown as KubeClient)).rejects.toThrow('no disk');
  });
});
