/** A member that we reach directly, and whom it says to reach directly. */
export interface RelayCandidate {
  id: string;
  roundTripMs: number | undefined;
  /** Round-trip times in ms by member ID. */
  reach: ReadonlyMap<string, number>;
}

/** Taken for a way that was not measured yet. */
const UNKNOWN_ROUND_TRIP_MS = 1_000;

/** The members through which `peerId` can be reached, the shortest way first; the order of the input is irrelevant. */
export function rankRelays(candidates: readonly RelayCandidate[], peerId: string): string[] {
  const lengthOf = (one: RelayCandidate): number =>
    (one.roundTripMs ?? UNKNOWN_ROUND_TRIP_MS) + (one.reach.get(peerId) ?? UNKNOWN_ROUND_TRIP_MS);
  return candidates
    .filter((one) => one.id !== peerId && one.reach.has(peerId))
    .sort((a, b) => lengthOf(a) - lengthOf(b) || (a.id < b.id ? -1 : 1))
    .map((one) => one.id);
}
