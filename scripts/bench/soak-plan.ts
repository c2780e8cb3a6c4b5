/** A fault of the lab, in its words, from when on (seconds since the start) and for how long. */
export interface PlannedFault {
  words: string;
  atS: number;
  forS: number;
}

const CLUSTERS = ['a', 'b', 'c'];

/**
 * What can come, how often compared to the others, and for how long (seconds). A whole cluster stands still for less than the
 * fencing time only: what is stopped while it stands still runs on for a moment when it goes on (src/README.md, *When a member is lost*).
 */
const KINDS: { share: number; seconds: [number, number]; words(pick: Pick): string }[] = [
  { share: 3, seconds: [2, 40], words: ({ cluster }) => `cut ${cluster}` },
  { share: 3, seconds: [2, 40], words: ({ cluster, other }) => `cut ${cluster} ${other}` },
  { share: 2, seconds: [5, 30], words: ({ cluster, other }) => `lose 20 ${cluster} ${other}` },
  { share: 2, seconds: [5, 30], words: ({ cluster }) => `block-udp ${cluster}` },
  { share: 3, seconds: [1, 2], words: ({ cluster }) => `kill ${cluster} agent` },
  { share: 1, seconds: [1, 2], words: ({ cluster }) => `kill ${cluster} kubelet` },
  { share: 1, seconds: [1, 2], words: ({ cluster }) => `kill ${cluster} kube-apiserver` },
  { share: 2, seconds: [2, 15], words: ({ cluster }) => `freeze ${cluster} agent` },
  { share: 2, seconds: [2, 8], words: ({ cluster }) => `freeze ${cluster}` },
  { share: 1, seconds: [1, 25], words: ({ cluster }) => `power ${cluster}` },
  { share: 1, seconds: [5, 60], words: ({ cluster }) => `clock ahead 1h ${cluster}` },
  { share: 1, seconds: [5, 60], words: ({ cluster }) => `clock behind 1h ${cluster}` },
];

interface Pick {
  cluster: string;
  other: string;
}

/** Between the end of a fault and the next one; now and then the next one comes before the end. */
const PAUSE_SECONDS: [number, number] = [2, 15];
const OVERLAPS = 0.2;

/** The faults of a run, the same for the same seed. */
export function planFaults(seed: number, forS: number): PlannedFault[] {
  const random = randomOf(seed);
  const between = ([low, high]: [number, number]): number => Math.round((low + random() * (high - low)) * 10) / 10;
  const faults: PlannedFault[] = [];
  for (let atS = between(PAUSE_SECONDS); atS < forS; ) {
    const kind = weighted(KINDS, random());
    const cluster = CLUSTERS[Math.floor(random() * CLUSTERS.length)] ?? 'a';
    const others = CLUSTERS.filter((one) => one !== cluster);
    const other = others[Math.floor(random() * others.length)] ?? 'b';
    const fault = { words: kind.words({ cluster, other }), atS, forS: Math.min(between(kind.seconds), forS - atS) };
    // The same fault twice at once would be ended by the end of the first.
    if (!faults.some(({ words, ...one }) => words === fault.words && one.atS + one.forS >= atS)) faults.push(fault);
    const pause = between(PAUSE_SECONDS);
    atS += random() < OVERLAPS ? pause : fault.forS + pause;
  }
  return faults;
}

function weighted<T extends { share: number }>(items: readonly T[], at: number): T {
  let left = at * items.reduce((sum, { share }) => sum + share, 0);
  const found = items.find(({ share }) => {
    left -= share;
    return left < 0;
  });
  return found ?? (items[0] as T);
}

/** Mulberry32: small, and the same on every machine. @returns numbers in [0, 1) */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
