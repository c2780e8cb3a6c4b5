import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { LEAVE_ANNOTATION } from '../../src/core/membership/peer-object.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { approve } from '../../src/ops/approve.ts';
import { type LeaveProgress, leave } from '../../src/ops/leave.ts';
import type { Clock } from '../../src/runtime/clock.ts';

/** Time that passes only by sleeping. */
function jumpingClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    monotonic: () => now,
    sleep: async (ms) => {
      now += ms;
    },
  };
}

/** A cluster with a Federation and peers; the agent, where there is one, does what the annotation asks for. */
function fakeCluster(options: { agent: boolean; status?: object }) {
  const federation: KubeObject & { spec?: object; status?: object } = {
    metadata: { name: 'headcut', annotations: {} },
    status: options.status ?? {},
  };
  const peers = new Set(['b', 'c']);
  const client = {
    get: () => Promise.resolve(structuredClone(federation)),
    list: () => Promise.resolve({ items: [...peers].map((name) => ({ metadata: { name } })), resourceVersion: '1' }),
    patch: (_type: unknown, _address: unknown, patch: { metadata?: KubeObject['metadata']; spec?: object }) => {
      if (patch.spec !== undefined) federation.spec = patch.spec;
      if (patch.metadata?.annotations === undefined) return Promise.resolve(federation);
      if (options.agent) peers.clear();
      else federation.metadata.annotations = patch.metadata.annotations;
      return Promise.resolve(federation);
    },
    delete: (_type: unknown, { name }: { name: string }) =>
      peers.delete(name) ? Promise.resolve() : Promise.reject(new ApiError(404, {})),
  } as unknown as KubeClient;
  return { client, peers, federation };
}

async function leaveWith(cluster: ReturnType<typeof fakeCluster>, moveAway: (peer: string) => Promise<void>) {
  const progress: LeaveProgress[] = [];
  for await (const step of leave(cluster.client, { clock: jumpingClock(), moveAway })) progress.push(step);
  return progress.map((step) => step.type);
}

describe('leaving', () => {
  it('moves pods away from every peer first, then lets the agent say goodbye', async () => {
    const cluster = fakeCluster({ agent: true });
    const moved: string[] = [];
    const steps = await leaveWith(cluster, async (peer) => void moved.push(peer));
    expect([moved, steps]).toEqual([
      ['b', 'c'],
      ['moving', 'moving', 'leaving', 'left'],
    ]);
  });

  it('goes on where pods cannot be moved, and says so', async () => {
    const cluster = fakeCluster({ agent: true });
    const steps = await leaveWith(cluster, () => Promise.reject(new Error('too late')));
    expect(steps).toEqual(['moving', 'not-moved', 'moving', 'not-moved', 'leaving', 'left']);
  });

  it('ends also without an agent, which then told nobody', async () => {
    const cluster = fakeCluster({ agent: false });
    expect(await leaveWith(cluster, () => Promise.resolve())).toContain('left-silently');
    expect(cluster.peers.size).toBe(0);
    // An agent that comes back later says goodbye still.
    expect(cluster.federation.metadata.annotations).toHaveProperty([LEAVE_ANNOTATION]);
  });
});

describe('approving a newcomer', () => {
  const pending = [
    { id: 'x'.repeat(52), name: 'new', vouchedBy: 'b' },
    { id: 'y'.repeat(52), name: 'twin', vouchedBy: 'b' },
    { id: 'z'.repeat(52), name: 'twin', vouchedBy: 'c' },
  ];

  it('adds its ID to the approved ones', async () => {
    const cluster = fakeCluster({ agent: true, status: { pending } });
    expect(await approve(cluster.client, 'new')).toEqual({ id: pending[0]?.id, name: 'new' });
    expect(cluster.federation.spec).toEqual({ approved: [pending[0]?.id] });
  });

  it('wants the ID where two have the same name, and says who waits when nobody is found', async () => {
    const cluster = fakeCluster({ agent: true, status: { pending } });
    await expect(approve(cluster.client, 'twin')).rejects.toMatchObject({ code: 'Conflict', message: /zzzz/ });
    await expect(approve(cluster.client, 'other')).rejects.toMatchObject({ code: 'NotFound', message: /new, twin/ });
  });
});
