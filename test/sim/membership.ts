/**
 * `npm run sim:membership -- --members 50`: what membership costs and how fast it is, under simulated time and network. See
 * simulated-member.ts for what is real in it, scenarios.ts for what happens. Prints a table in Markdown at the end.
 */
import { parseArgs } from 'node:util';
import { countFalseDetections } from './heartbeat-views.ts';
import { churn, death, idle, join, partition, secondsUntil } from './scenarios.ts';
import type { SimulatedMember, SimulatedWorld } from './simulated-member.ts';
import { createWorld, isWhole } from './simulated-world.ts';

const { values } = parseArgs({
  options: {
    members: { type: 'string', default: '5,10,25' },
    delay: { type: 'string', default: '20' },
    loss: { type: 'string', default: '1,5,10' },
    /** For how long heartbeats are looked at, counted over all pairs of members; an hour at most. */
    pairHours: { type: 'string', default: '600' },
    /** Seconds of idleness, of churn, and between two of its events. */
    idle: { type: 'string', default: '20' },
    churn: { type: 'string', default: '60' },
    every: { type: 'string', default: '10' },
    /** Of partition, churn and loss: large federations take their time. */
    without: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
  },
});
const numbers = (text: string): number[] => text.split(',').map(Number);
const [delayMs, seed] = [Number(values.delay), Number(values.seed)];
const without = values.without.split(',');

/** The figures of one size, by what they are of. */
type Row = Record<string, string>;
type Say = (what: string, figure: string) => void;

async function simulate(count: number): Promise<Row> {
  const startedAt = performance.now();
  const row: Row = { members: String(count) };
  const say: Say = (what, figure) => {
    row[what] = figure;
    console.log(`${String(count).padStart(4)}  ${what.padEnd(44)} ${figure}`);
  };
  const { world, all } = await createWorld(count, { delayMs, seed });
  await Promise.all(all.map((member) => member.start()));
  say('all start at once: whole', `${(await secondsUntil(world, () => isWhole(all))).toFixed(1)} s`);
  await world.time.pass(10_000);
  const quiet = await idle(world, Number(values.idle) * 1_000);
  say('idle, a member (most)', `${kilo(quiet.mean)} (${kilo(quiet.most)}) kB/s`);
  const joined = await join(world, all);
  all.push(joined.newcomer);
  say('a join: known to all, connected', `${joined.known.toFixed(1)}, ${joined.whole.toFixed(1)} s`);
  await world.time.pass(5_000);
  const sent = [...world.network.sentBytes.values()].reduce((sum, one) => sum + one, 0);
  say('its traffic within 5 s, in all', `${(sent / 1e6).toFixed(2)} MB`);
  const died = await death(world, all);
  say('a death noticed: median, last', `${died.median.toFixed(1)}, ${died.last.toFixed(1)} s`);
  say('whole after its return', `${died.back.toFixed(1)} s`);
  if (!without.includes('partition')) await part(world, all, say);
  if (!without.includes('churn')) await stir(world, all, say);
  if (!without.includes('loss')) await lose(count, say);
  const tookS = ((performance.now() - startedAt) / 1_000).toFixed(0);
  console.log(`${''.padStart(6)}${(world.time.nowMs / 60_000).toFixed(0)} min simulated in ${tookS} s`);
  return row;
}

async function part(world: SimulatedWorld, all: SimulatedMember[], say: Say): Promise<void> {
  const { noticed, whole, wrong } = await partition(world, all);
  say('a partition noticed by all, whole after its end', `${noticed.toFixed(1)}, ${whole.toFixed(1)} s`);
  say('false Unreachable in it', String(wrong));
}

async function stir(world: SimulatedWorld, all: SimulatedMember[], say: Say): Promise<void> {
  const times = { everyMs: Number(values.every) * 1_000, forMs: Number(values.churn) * 1_000 };
  const { known, traffic, settled, wrong } = await churn(world, all, times);
  say('churn: newcomers known, median, last', `${known.median.toFixed(1)}, ${known.most.toFixed(1)} s`);
  say('churn, a member (most)', `${kilo(traffic.mean)} (${kilo(traffic.most)}) kB/s`);
  say('whole after churn', `${settled.toFixed(1)} s`);
  say('false Unreachable in churn', String(wrong));
}

async function lose(count: number, say: Say): Promise<void> {
  const pairs = count * (count - 1);
  const hours = Math.min(1, Number(values.pairHours) / pairs);
  const falseAlarms: number[] = [];
  for (const loss of numbers(values.loss)) {
    const options = { ms: hours * 3_600_000, seed };
    const { unreachable, suspect, proofs } = await countFalseDetections(count, { delayMs, loss: loss / 100 }, options);
    falseAlarms.push(unreachable);
    console.log(`      ${loss} % loss: ${unreachable} false Unreachable, ${suspect} Suspect, ${proofs} proofs of life`);
  }
  const title = `false Unreachable at ${values.loss} % loss, in pair-hours`;
  say(title, `${falseAlarms.join(', ')} in ${(hours * pairs).toFixed(0)} h`);
}

const kilo = (bytes: number): string => (bytes / 1_000).toFixed(1);

const rows: Row[] = [];
for (const count of numbers(values.members)) rows.push(await simulate(count));
const titles = Object.keys(rows[0] ?? {});
console.log(`\n| ${titles[0]} | ${rows.map((row) => row.members).join(' | ')} |\n|${'---|'.repeat(rows.length + 1)}`);
for (const title of titles.slice(1)) console.log(`| ${title} | ${rows.map((row) => row[title] ?? '–').join(' | ')} |`);
process.exit(0);
