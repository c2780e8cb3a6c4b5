import type { Clock } from '../runtime/clock.ts';
import type { PeerConnection } from './peer-connection.ts';

/** The direct way gets this much of a start before a third member is asked. */
const DIRECT_FIRST_MS = 1_000;

type Dial = (signal: AbortSignal) => Promise<PeerConnection>;

/** Directly, or after a moment through a third member: whichever is up first. Throws what went wrong on the direct way. */
export async function dialEitherWay(
  directly: Dial,
  throughOthers: Dial,
  clock: Clock,
  signal: AbortSignal,
): Promise<PeerConnection> {
  const settled = new AbortController();
  const within = AbortSignal.any([signal, settled.signal]);
  const keepFirst = (connection: PeerConnection): PeerConnection => {
    if (settled.signal.aborted) connection.close();
    settled.abort();
    return connection;
  };
  const directFailed = new AbortController();
  const direct = directly(within).then(keepFirst);
  direct.catch(() => directFailed.abort());
  const relayed = async (): Promise<PeerConnection> => {
    await clock.sleep(DIRECT_FIRST_MS, AbortSignal.any([within, directFailed.signal])).catch(() => {});
    within.throwIfAborted();
    return keepFirst(await throughOthers(within));
  };
  try {
    return await Promise.any([direct, relayed()]);
  } catch (error) {
    throw (error as AggregateError).errors[0];
  } finally {
    settled.abort();
  }
}
