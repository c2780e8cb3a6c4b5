import { SimulatedMember, type SimulatedWorld } from './simulated-member.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { createRandom, SimulatedTime } from './simulated-time.ts';

/** Members that know each other and are not started yet. */
export async function createWorld(
  count: number,
  { delayMs, seed }: { delayMs: number; seed: number },
): Promise<{ world: SimulatedWorld; all: SimulatedMember[] }> {
  const time = new SimulatedTime();
  const random = createRandom(seed);
  const network = new SimulatedNetwork(time, random, { delayMs, loss: 0 });
  const world: SimulatedWorld = { time, network, random, members: new Map() };
  const all: SimulatedMember[] = [];
  for (let i = 0; i < count; i += 1) all.push(await SimulatedMember.create(world, `m${i}`));
  const records = all.map((member) => member.record());
  for (const member of all) await member.learn(records);
  return { world, all };
}

/** Each is connected to all others. */
export const isWhole = (all: SimulatedMember[]): boolean =>
  all.every((member) => member.countConnected() === all.length - 1);
