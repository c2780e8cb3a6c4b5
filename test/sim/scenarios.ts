import { SimulatedMember, type SimulatedWorld } from './simulated-member.ts';
import { isWhole } from './simulated-world.ts';

/** What can happen to a federation, each with the figures that come out. Times in seconds of simulated time. */

const SETTLE_WITHIN_MS = 120_000;
/** How exact times are; looking at all pairs of members costs more than what happens between two looks. */
const LOOK_EVERY_MS = 50;

/** Seconds until `until` holds; NaN when it does not within two minutes. */
export async function secondsUntil(
  { time }: SimulatedWorld,
  until: () => boolean,
  withinMs = SETTLE_WITHIN_MS,
): Promise<number> {
  const start = time.nowMs;
  while (time.nowMs - start < withinMs) {
    if (until()) return (time.nowMs - start) / 1_000;
    await time.pass(LOOK_EVERY_MS);
  }
  return Number.NaN;
}

/** Bytes a second that a member sends, on average and at most, since `forget`. */
export function trafficOf({ network }: SimulatedWorld, ms: number): { mean: number; most: number } {
  const rates = [...network.sentBytes.values()].map((bytes) => (bytes / ms) * 1_000);
  return { mean: rates.reduce((sum, one) => sum + one, 0) / rates.length, most: Math.max(...rates) };
}

export async function idle(world: SimulatedWorld, ms: number): Promise<{ mean: number; most: number }> {
  world.network.sentBytes.clear();
  await world.time.pass(ms);
  return trafficOf(world, ms);
}

/** A newcomer comes in through one of them. */
export async function join(
  world: SimulatedWorld,
  all: SimulatedMember[],
): Promise<{ newcomer: SimulatedMember; known: number; whole: number; bytes: number }> {
  const newcomer = await SimulatedMember.create(world, 'newcomer');
  await newcomer.start();
  world.network.sentBytes.clear();
  const joining = newcomer.join(all[all.length >> 1] as SimulatedMember);
  const everybody = [...all, newcomer];
  const known = await secondsUntil(world, () => everybody.every((one) => one.ways.list().length === all.length));
  await joining;
  const whole = known + (await secondsUntil(world, () => isWhole(everybody)));
  const bytes = [...world.network.sentBytes.values()].reduce((sum, one) => sum + one, 0);
  return { newcomer, known, whole, bytes };
}

/** How long the others take to call a member that ended without a word unreachable: median and most; and until it is back. */
export async function death(
  world: SimulatedWorld,
  all: SimulatedMember[],
): Promise<{ median: number; last: number; back: number }> {
  const [victim, ...others] = all as [SimulatedMember, ...SimulatedMember[]];
  const start = world.time.nowMs;
  victim.crash();
  const seen = (member: SimulatedMember): number | undefined =>
    member.changes.find(({ at, id, state }) => at >= start && id === victim.id && state === 'Unreachable')?.at;
  await secondsUntil(world, () => others.every((member) => seen(member) !== undefined), 60_000);
  const times = others.map((member) => ((seen(member) ?? Number.NaN) - start) / 1_000).sort((a, b) => a - b);
  await victim.start();
  const back = await secondsUntil(world, () => isWhole(all));
  return { median: times[times.length >> 1] ?? Number.NaN, last: times.at(-1) ?? Number.NaN, back };
}

/** Three times as long as it takes to be noticed. */
const PARTED_MS = 10_000;

/** Two halves do not reach each other for a while. */
export async function partition(
  world: SimulatedWorld,
  all: SimulatedMember[],
): Promise<{ noticed: number; wrong: number; whole: number }> {
  const [left, right] = [all.filter((_, i) => i % 2 === 0), all.filter((_, i) => i % 2 === 1)];
  const cut = (isCut: boolean): void => {
    for (const one of left) for (const other of right) world.network.setCut(one.id, other.id, isCut);
  };
  const start = world.time.nowMs;
  cut(true);
  const sees = (member: SimulatedMember, others: SimulatedMember[]): boolean =>
    others.every(({ id }) => member.ways.get(id)?.state === 'Unreachable');
  const isParted = (): boolean =>
    left.every((member) => sees(member, right)) && right.every((member) => sees(member, left));
  const noticed = await secondsUntil(world, isParted, PARTED_MS);
  await world.time.pass(PARTED_MS - (world.time.nowMs - start));
  const wrong = [left, right].flatMap((half) => {
    const ids = new Set(half.map(({ id }) => id));
    return half.flatMap(({ changes }) =>
      changes.filter(({ at, id, state }) => at >= start && state === 'Unreachable' && ids.has(id)),
    );
  }).length;
  cut(false);
  return { noticed, wrong, whole: await secondsUntil(world, () => isWhole(all)) };
}

/** Every so many-th time a member ends without a word and is back soon; the other times one leaves, and a new one comes. */
const CRASH_EVERY = 4;
const BACK_AFTER_MS = 15_000;

export interface ChurnFigures {
  events: number;
  /** Time until a newcomer was known to all, and knew all. */
  known: { median: number; most: number };
  traffic: { mean: number; most: number };
  /** Members that were up the whole time and were called unreachable. */
  wrong: number;
  /** Until all know and reach each other, once nobody comes, goes or is down any more. */
  settled: number;
}

/** All the time members leave, others come, and some crash and come back. */
export async function churn(
  world: SimulatedWorld,
  all: SimulatedMember[],
  { everyMs, forMs }: { everyMs: number; forMs: number },
): Promise<ChurnFigures> {
  const { time, random, network } = world;
  const present = [...all];
  const down = new Set<SimulatedMember>();
  const disturbed = new Set<string>();
  const coming: { member: SimulatedMember; at: number }[] = [];
  const known: number[] = [];
  const start = time.nowMs;
  const pick = (): SimulatedMember => {
    const able = present.filter((one) => !down.has(one) && !coming.some(({ member }) => member === one));
    return able[Math.floor(random() * able.length)] as SimulatedMember;
  };
  const up = (): SimulatedMember[] => present.filter((one) => !down.has(one));
  const isKnown = (newcomer: SimulatedMember): boolean =>
    up().every((one) => one === newcomer || one.ways.get(newcomer.id) !== undefined) &&
    newcomer.ways.list().length >= up().length - 1;
  const disturb = async (number: number): Promise<void> => {
    const member = pick();
    disturbed.add(member.id);
    if (number % CRASH_EVERY === CRASH_EVERY - 1) {
      member.crash();
      down.add(member);
      time.after(BACK_AFTER_MS, () => void member.start().then(() => down.delete(member)));
      return;
    }
    present.splice(present.indexOf(member), 1);
    void member.leave();
    const newcomer = await SimulatedMember.create(world, `new-${number}`);
    await newcomer.start();
    disturbed.add(newcomer.id);
    void newcomer.join(pick());
    present.push(newcomer);
    coming.push({ member: newcomer, at: time.nowMs });
  };
  const look = (): void => {
    for (const one of [...coming]) {
      if (!isKnown(one.member)) continue;
      known.push((time.nowMs - one.at) / 1_000);
      coming.splice(coming.indexOf(one), 1);
    }
  };
  network.sentBytes.clear();
  let events = 0;
  while (time.nowMs - start < forMs) {
    await disturb(events);
    events += 1;
    for (const next = time.nowMs + everyMs; time.nowMs < next; look()) await time.pass(LOOK_EVERY_MS);
  }
  const traffic = trafficOf(world, time.nowMs - start);
  await secondsUntil(world, () => down.size === 0);
  const settled = await secondsUntil(world, () => {
    look();
    return coming.length === 0 && isWhole(present);
  });
  known.sort((a, b) => a - b);
  const isWrong = ({ at, id, state }: { at: number; id: string; state: string }): boolean =>
    at >= start && state === 'Unreachable' && !disturbed.has(id);
  const wrong = up().flatMap(({ id, changes }) => (disturbed.has(id) ? [] : changes.filter(isWrong))).length;
  return {
    events,
    known: { median: known[known.length >> 1] ?? Number.NaN, most: known.at(-1) ?? Number.NaN },
    traffic,
    wrong,
    settled,
  };
}
