import { fromSentState } from '../../core/service/sent-service.ts';
import type { CallHandlers } from '../../peering/serving.ts';
import type { ServiceMirrorDesk } from '../ports.ts';

/** What peers tell of the Services of their pods here. */
export function createServiceCalls(desk: ServiceMirrorDesk): Pick<CallHandlers, 'updateServices'> {
  return {
    updateServices: async ({ peerId, params, body }) => ({
      problems: await desk.update(peerId, params.namespace, fromSentState(body)),
    }),
  };
}
