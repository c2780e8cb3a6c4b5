/**
 * Over which way packets to a peer go. Both sides find it by probes that travel as WireGuard's packets do and are answered,
 * so that each verdict is about both directions and both sides come to the same one.
 */
export type PacketPath = 'UDP' | 'TLS';

export interface PathState {
  /** undefined until the first verdict of this process. */
  path: PacketPath | undefined;
  /** Probes in a row that say otherwise than `path`. */
  against: number;
  /** When UDP was given up lately, in monotonic ms; the oldest first. */
  lossesAt: readonly number[];
}

export const NEW_PATH: PathState = { path: undefined, against: 0, lossesAt: [] };

/** A block is to be passed within 10 s: three probes, each answered or not after one interval, leave room for the switch. */
export const PROBE_INTERVAL_MS = 2_000;
/** Before the first verdict every lost second is one without network. */
export const FIRST_PROBE_INTERVAL_MS = 500;
const MISSES_TO_TLS = 3;
/** UDP is to be used again within 30 s: also after many losses, at most 10 probes in a row are waited for. */
const HITS_TO_UDP = 3;
const MAX_HITS_TO_UDP = 10;
/** Losses older than this are forgiven. */
const LOSS_MEMORY_MS = 10 * 60_000;

/** The state after a probe was answered, or not. @param now monotonic ms */
export function nextPath(state: PathState, answered: boolean, now: number): PathState {
  const lossesAt = state.lossesAt.filter((at) => now - at < LOSS_MEMORY_MS);
  const agrees = state.path === undefined ? false : (state.path === 'UDP') === answered;
  if (agrees) return { path: state.path, against: 0, lossesAt };
  const against = state.against + 1;
  if (answered) {
    const needed = state.path === undefined ? 1 : hitsNeeded(lossesAt.length);
    return against >= needed ? { path: 'UDP', against: 0, lossesAt } : { ...state, against, lossesAt };
  }
  if (against < MISSES_TO_TLS) return { ...state, against, lossesAt };
  return { path: 'TLS', against: 0, lossesAt: [...lossesAt, now].slice(-MAX_HITS_TO_UDP) };
}

/** A way that was lost again and again has to hold longer before it is trusted. */
function hitsNeeded(losses: number): number {
  return Math.min(MAX_HITS_TO_UDP, HITS_TO_UDP + 2 * Math.max(0, losses - 1));
}

export function probeIntervalMs(state: PathState): number {
  return state.path === undefined ? FIRST_PROBE_INTERVAL_MS : PROBE_INTERVAL_MS;
}
