/**
 * The lease under which a provider runs fenced pods of a consumer. The provider asks for it again and again, and counts from
 * the moment at which it *sent* the question; the consumer counts from the moment at which it *answered*, which is later. So the
 * provider's time is over first, however long question and answer were on the way (Gray and Cheriton, Leases, 1989).
 * All times are ms of a clock that goes on while the machine sleeps, and are compared on one machine only.
 */

/** Stopping the containers, and a kubelet that is busy. */
const STOP_MS = 10_000;
/** Clocks of two machines drift apart by this share at most; quartz is a hundred times better. */
const DRIFT = 0.01;

/** Until when the provider may run a pod. @param askedAt when it sent the last question that was answered */
export function leaseEndsAt(askedAt: number, afterMs: number): number {
  return askedAt + afterMs;
}

/** From when on the consumer may be sure that the pod has stopped. @param answeredAt when it answered last */
export function fencedAt(answeredAt: number, afterMs: number): number {
  return answeredAt + afterMs + STOP_MS + afterMs * DRIFT;
}

/** What a fenced pod gets to end by itself. 0 would remove it from the API before its containers have stopped. */
export const FENCE_GRACE_SECONDS = 1;
/** So long the guard leaves it to the agent to stop a pod whose time is over. */
export const GUARD_AFTER_MS = 2_000;
/** After that long it kills what runs on: the API server or the kubelet is dead as well. Stopping took STOP_MS at most then. */
export const KILL_AFTER_MS = 6_000;
/** So often the provider asks: of the questions within one lease, which is ten seconds at least, some may get lost. */
export const RENEW_EVERY_MS = 2_000;
