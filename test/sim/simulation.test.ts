import { afterEach, describe, expect, it } from 'vitest';
import { countFalseDetections } from './heartbeat-views.ts';
import { churn, partition } from './scenarios.ts';
import { SimulatedMember } from './simulated-member.ts';
import { createWorld, isWhole } from './simulated-world.ts';

const started: SimulatedMember[] = [];

afterEach(() => {
  for (const member of started.splice(0)) member.crash();
});

describe('membership under simulated time and network', { timeout: 60_000 }, () => {
  it('tells eight members of a newcomer within a second, for little traffic', async () => {
    const { world, all } = await createWorld(8, { delayMs: 20, seed: 1 });
    const newcomer = await SimulatedMember.create(world, 'newcomer');
    started.push(...all, newcomer);
    await Promise.all(all.map((member) => member.start()));
    expect(await world.time.pass(5_000, () => isWhole(all))).toBe(true);
    await newcomer.start();
    await world.time.pass(10_000);
    world.network.sentBytes.clear();
    await world.time.pass(60_000);
    for (const member of all) expect(world.network.sentBytes.get(member.id)).toBeLessThan(60 * 7 * 200);
    const joining = newcomer.join(all[3] as SimulatedMember);
    const knows = (member: SimulatedMember): boolean => member.ways.list().length === 8;
    expect(await world.time.pass(1_000, () => [...all, newcomer].every(knows))).toBe(true);
    await joining;
    expect(await world.time.pass(2_000, () => isWhole([...all, newcomer]))).toBe(true);
  });

  it('calls a member that ended without a word unreachable within about three seconds, and nobody else', async () => {
    const { world, all } = await createWorld(4, { delayMs: 20, seed: 2 });
    started.push(...all);
    await Promise.all(all.map((member) => member.start()));
    await world.time.pass(5_000, () => isWhole(all));
    await world.time.pass(5_000);
    const [victim, ...others] = all as [SimulatedMember, ...SimulatedMember[]];
    const start = world.time.nowMs;
    victim.crash();
    await world.time.pass(3_500);
    const bad = others.flatMap((member) =>
      member.changes.filter(({ at, state }) => at > start && state === 'Unreachable'),
    );
    expect(bad.map(({ id }) => id)).toEqual([victim.id, victim.id, victim.id]);
  });

  it('is whole again soon after a partition, in which nobody lost who was on the same side', async () => {
    const { world, all } = await createWorld(6, { delayMs: 20, seed: 4 });
    started.push(...all);
    await Promise.all(all.map((member) => member.start()));
    await world.time.pass(5_000);
    const { noticed, wrong, whole } = await partition(world, all);
    expect(wrong).toBe(0);
    expect(noticed).toBeLessThan(3.5);
    expect(whole).toBeLessThan(15);
  });

  it('makes all known to all while members leave, come, crash and return, and calls nobody unreachable who stays', async () => {
    const { world, all } = await createWorld(5, { delayMs: 20, seed: 5 });
    started.push(...all);
    await Promise.all(all.map((member) => member.start()));
    await world.time.pass(5_000);
    const { events, known, wrong, settled } = await churn(world, all, { everyMs: 5_000, forMs: 25_000 });
    for (const member of world.members.values()) started.push(member);
    expect(events).toBe(5);
    expect(known.most).toBeLessThan(2);
    expect(wrong).toBe(0);
    expect(settled).toBeLessThan(5);
  });

  it('calls nobody unreachable who is alive, on ways that lose a tenth of all packets', async () => {
    const options = { ms: 20 * 60_000, seed: 3 };
    const { unreachable, proofs } = await countFalseDetections(6, { delayMs: 60, loss: 0.1 }, options);
    expect(unreachable).toBe(0);
    expect(proofs).toBeGreaterThan(0);
  });
});
