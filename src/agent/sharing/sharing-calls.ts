import type { CallHandlers } from '../../peering/serving.ts';
import type { KnownExports } from './known-exports.ts';

/** What peers tell of the Services that they export. */
export function createSharingCalls(known: KnownExports): Pick<CallHandlers, 'updateExports'> {
  return { updateExports: ({ peerId, body }) => ({ refused: known.take(peerId, body) }) };
}
