import type { CallHandlers } from '../../peering/serving.ts';
import type { PodProvider } from '../ports.ts';

/** What peers may ask about their pods here. */
export function createPodCalls(
  provider: PodProvider,
): Pick<CallHandlers, 'submitPod' | 'sendAhead' | 'updatePod' | 'deletePod' | 'updateObjects'> {
  return {
    submitPod: ({ peerId, params, body }) => provider.submit(peerId, params.uid, body),
    sendAhead: ({ peerId, params, body }) => provider.sendAhead(peerId, params.uid, body),
    updatePod: async ({ peerId, params, body }) => {
      await provider.update(peerId, params.uid, body.pod);
      return {};
    },
    deletePod: async ({ peerId, params, query }) => {
      await provider.delete(peerId, params.uid, query.gracePeriodSeconds);
      return {};
    },
    updateObjects: async ({ peerId, params, body }) => {
      await provider.updateObjects(peerId, params.namespace, body.objects, body.gone);
      return {};
    },
  };
}
