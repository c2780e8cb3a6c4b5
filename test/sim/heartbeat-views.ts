import { ContactWatch } from '../../src/peering/contact-watch.ts';
import { ProofOfLife } from '../../src/peering/proof-of-life.ts';
import { HEARTBEAT_INTERVAL_MS } from '../../src/wire/messages.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { createRandom, SimulatedTime } from './simulated-time.ts';

const HEARTBEAT_BYTES = 40;
/** As in membership.ts. */
const TICK_MS = 200;

export interface ViewCounts {
  suspect: number;
  unreachable: number;
  proofs: number;
}

/**
 * Heartbeats and the judgement about them alone (ContactWatch and ProofOfLife), without sessions: so cheap that hours of many
 * members can be looked at. Everybody is alive all the time: each Unreachable is a false one.
 */
export async function countFalseDetections(
  members: number,
  conditions: { delayMs: number; loss: number },
  options: { ms: number; seed: number },
): Promise<ViewCounts> {
  const time = new SimulatedTime();
  const random = createRandom(options.seed);
  const network = new SimulatedNetwork(time, random, conditions, { isPlain: true });
  const counts: ViewCounts = { suspect: 0, unreachable: 0, proofs: 0 };
  const ticks: (() => void)[] = [];
  for (let from = 0; from < members; from += 1)
    for (let to = 0; to < members; to += 1)
      if (from !== to) ticks.push(watch(`m${from}`, `m${to}`, { time, network, random, counts }));
  const tick = (): void => {
    for (const one of ticks) one();
    time.after(TICK_MS, tick, true);
  };
  tick();
  await time.pass(options.ms);
  return counts;
}

interface World {
  time: SimulatedTime;
  network: SimulatedNetwork;
  random(): number;
  counts: ViewCounts;
}

/** How `here` sees `peer`. @returns what is to be done at each tick */
function watch(here: string, peer: string, { time, network, random, counts }: World): () => void {
  const { clock } = time;
  const contact = new ContactWatch(time.nowMs, undefined);
  const never = new AbortController().signal;
  const proof = new ProofOfLife({
    prove: async (signal) => void (await network.connect(here, peer, () => true, signal)),
    onProof: () => {
      counts.proofs += 1;
      contact.proven(time.nowMs);
    },
    clock,
  });
  let line = network.direction(peer, here);
  const heardOn = (connection: typeof line) => (): void => {
    if (connection !== line) return;
    contact.heard(time.nowMs);
    proof.end();
  };
  const beat = (): void => {
    line(HEARTBEAT_BYTES, heardOn(line));
    time.after(HEARTBEAT_INTERVAL_MS, beat, true);
  };
  time.after(random() * HEARTBEAT_INTERVAL_MS, beat, true);
  contact.measured(2 * network.delayOf(here, peer));
  const reconnect = async (): Promise<void> => {
    contact.closed(new Error('silent'), time.nowMs);
    await network.connect(here, peer, () => true, never);
    line = network.direction(peer, here);
    line(HEARTBEAT_BYTES, heardOn(line));
  };
  return () => {
    const { nowMs } = time;
    const isNew = contact.refresh(nowMs);
    if (isNew && contact.state === 'Suspect') counts.suspect += 1;
    if (isNew && contact.state === 'Unreachable') counts.unreachable += 1;
    if (contact.isQuiet(nowMs)) proof.seek(nowMs);
    if (contact.isSilent(nowMs) && contact.open) void reconnect();
  };
}
