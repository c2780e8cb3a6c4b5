import { describe, expect, it } from 'vitest';
import { LEAVE_ANNOTATION } from '../../src/core/membership/peer-object.ts';
import { approve } from '../../src/ops/approve.ts';
import { type LeaveOptions, type LeaveProgress, leave } from '../../src/ops/leave.ts';
import { jumpingClock } from '../jumping-clock.ts';
import { fakeCluster } from './leaving-cluster.ts';

async function leaveWith(
  cluster: ReturnType<typeof fakeCluster>,
  more: Partial<LeaveOptions> & Pick<LeaveOptions, 'moveAway'>,
) {
  const progress: LeaveProgress[] = [];
  const doors = { closeDoor: () => Promise.resolve(true), openDoor: () => Promise.resolve() };
  const { signal } = new AbortController();
  for await (const step of leave(cluster.client, { clock: jumpingClock(), signal, ...doors, ...more }))
    progress.push(step);
  return progress.map((step) => step.type);
}

describe('leaving', () => {
  it('closes the way to every peer, then moves pods away from each, then lets the agent say goodbye', async () => {
    const cluster = fakeCluster({ agent: true });
    const done: string[] = [];
    const steps = await leaveWith(cluster, {
      closeDoor: async (peer) => done.push(`close ${peer}`) > 0,
      moveAway: async (peer) => void done.push(`move ${peer}`),
    });
    expect([done, steps]).toEqual([
      ['close b', 'close c', 'move b', 'move c'],
      ['moving', 'moving', 'leaving', 'left'],
    ]);
  });

  it('goes on where pods cannot be moved, and says so', async () => {
    const cluster = fakeCluster({ agent: true });
    const steps = await leaveWith(cluster, { moveAway: () => Promise.reject(new Error('too late')) });
    expect(steps).toEqual(['moving', 'not-moved', 'moving', 'not-moved', 'leaving', 'left']);
  });

  it('has nothing to move where a peer has no virtual node', async () => {
    const closeDoor = (peer: string) => Promise.resolve(peer === 'b' ? undefined : true);
    const steps = await leaveWith(fakeCluster({ agent: true }), { closeDoor, moveAway: () => Promise.resolve() });
    expect(steps).toEqual(['moving', 'leaving', 'left']);
  });

  it('ends also without an agent, which then told nobody', async () => {
    const cluster = fakeCluster({ agent: false });
    expect(await leaveWith(cluster, { moveAway: () => Promise.resolve() })).toContain('left-silently');
    expect(cluster.peers.size).toBe(0);
    // An agent that comes back later says goodbye still.
    expect(cluster.federation.metadata.annotations).toHaveProperty([LEAVE_ANNOTATION]);
  });

  it('stays a member when it is interrupted while pods move, and opens the ways again that it closed', async () => {
    const cluster = fakeCluster({ agent: true });
    const interrupted = new AbortController();
    const opened: string[] = [];
    const leaving = leaveWith(cluster, {
      signal: interrupted.signal,
      closeDoor: (peer) => Promise.resolve(peer === 'b'),
      openDoor: async (peer) => void opened.push(peer),
      moveAway: () => {
        interrupted.abort(new Error('interrupted'));
        return Promise.reject(new Error('interrupted'));
      },
    });
    await expect(leaving).rejects.toThrow('interrupted');
    // c was closed before.
    expect([opened, cluster.peers.size]).toEqual([['b'], 2]);
    expect(cluster.federation.metadata.annotations).toEqual({});
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
    expect(await approve(cluster.client, 'new', { dryRun: false })).toEqual({
      id: pending[0]?.id,
      name: 'new',
      already: false,
    });
    expect(cluster.federation.spec).toEqual({ approved: [pending[0]?.id] });
  });

  it('wants the ID where two have the same name, and says who waits when nobody is found', async () => {
    const cluster = fakeCluster({ agent: true, status: { pending } });
    await expect(approve(cluster.client, 'twin', { dryRun: false })).rejects.toMatchObject({
      code: 'Conflict',
      message: /zzzz/,
    });
    await expect(approve(cluster.client, 'other', { dryRun: false })).rejects.toMatchObject({
      code: 'NotFound',
      message: /new, twin/,
    });
  });
});
