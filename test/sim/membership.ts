/**
 * `npm run sim:membership -- --members 50`: what membership costs and how fast it is, under simulated time and network. See
 * simulated-member.ts for what is real in it.
 */
import { parseArgs } from 'node:util';
import { countFalseDetections } from './heartbeat-views.ts';
import { SimulatedMember, type SimulatedWorld } from './simulated-member.ts';
import type { SimulatedTime } from './simulated-time.ts';
import { createWorld, isWhole } from './simulated-world.ts';

const { values } = parseArgs({
  options: {
    members: { type: 'string', default: '5,10,25' },
    delay: { type: 'string', default: '20' },
    loss: { type: 'string', default: '1,5,10' },
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});
const numbers = (text: string): number[] => text.split(',').map(Number);
const SETTLE_WITHIN_MS = 120_000;

/** Seconds until `until` holds. */
async function secondsUntil(time: SimulatedTime, until: () => boolean, withinMs = SETTLE_WITHIN_MS): Promise<number> {
  const start = time.nowMs;
  return (await time.pass(withinMs, until)) ? (time.nowMs - start) / 1_000 : Number.NaN;
}

/** Bytes a second that a member sends, on average and at most, over `ms`. */
async function trafficOf({ time, network }: SimulatedWorld, ms: number): Promise<string> {
  network.sentBytes.clear();
  await time.pass(ms);
  const rates = [...network.sentBytes.values()].map((bytes) => bytes / ms);
  const mean = rates.reduce((sum, one) => sum + one, 0) / rates.length;
  return `${mean.toFixed(2)} kB/s a member (most ${Math.max(...rates).toFixed(2)})`;
}

/** How long the others take to call a member that ended without a word unreachable: median and most. */
async function detection({ time }: SimulatedWorld, all: SimulatedMember[]): Promise<string> {
  const [victim, ...others] = all as [SimulatedMember, ...SimulatedMember[]];
  const start = time.nowMs;
  victim.crash();
  const seen = (member: SimulatedMember): number | undefined =>
    member.changes.find(({ at, id, state }) => at >= start && id === victim.id && state === 'Unreachable')?.at;
  await time.pass(60_000, () => others.every((member) => seen(member) !== undefined));
  const times = others.map((member) => ((seen(member) ?? Number.NaN) - start) / 1_000).sort((a, b) => a - b);
  await victim.start();
  const back = await secondsUntil(time, () => isWhole(all));
  return `median ${times[times.length >> 1]?.toFixed(1)} s, last ${times.at(-1)?.toFixed(1)} s; whole again ${back.toFixed(1)} s after its start`;
}

async function simulate(count: number): Promise<void> {
  const startedAt = performance.now();
  const { world, all } = await createWorld(count, { delayMs: Number(values.delay), seed: Number(values.seed) });
  const { time, network } = world;
  const say = (what: string, figure: string): void =>
    console.log(`${String(count).padStart(4)}  ${what.padEnd(34)} ${figure}`);
  await Promise.all(all.map((member) => member.start()));
  say('all start at once: whole after', `${(await secondsUntil(time, () => isWhole(all))).toFixed(2)} s`);
  await time.pass(10_000);
  say('idle traffic', await trafficOf(world, 60_000));
  const newcomer = await SimulatedMember.create(world, 'newcomer');
  await newcomer.start();
  network.sentBytes.clear();
  const joining = newcomer.join(all[count >> 1] as SimulatedMember);
  const knows = (member: SimulatedMember): boolean => member.membership.list().length === count;
  const known = await secondsUntil(time, () => [...all, newcomer].every(knows));
  await joining;
  const whole = known + (await secondsUntil(time, () => isWhole([...all, newcomer])));
  const sent = [...network.sentBytes.values()].reduce((sum, one) => sum + one, 0);
  say(
    'a join: known to all, connected',
    `${known.toFixed(2)} s, ${whole.toFixed(2)} s; ${(sent / 1_000).toFixed(0)} kB in all`,
  );
  say('death of a member is noticed', await detection(world, [...all, newcomer]));
  for (const loss of numbers(values.loss)) {
    const conditions = { delayMs: Number(values.delay), loss: loss / 100 };
    const ms = Number(values.minutes) * 60_000;
    const { unreachable, suspect, proofs } = await countFalseDetections(count, conditions, {
      ms,
      seed: Number(values.seed),
    });
    say(
      `${loss} % loss for ${values.minutes} min`,
      `${unreachable} false Unreachable, ${suspect} Suspect, ${proofs} proofs of life`,
    );
  }
  say(
    'simulated',
    `${(time.nowMs / 60_000).toFixed(0)} min in ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`,
  );
}

for (const count of numbers(values.members)) await simulate(count);
process.exit(0);
