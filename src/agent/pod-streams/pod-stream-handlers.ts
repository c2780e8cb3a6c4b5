import type { CallHandlers, PodStreamHandler } from '../../peering/serving.ts';
import type { PodProvider, PodStreams } from '../ports.ts';

/** Logs, exec, attach and port-forward of pods of peers. */
export function createPodStreamHandlers(
  provider: Pick<PodProvider, 'locate'>,
  streams: PodStreams,
): { calls: Pick<CallHandlers, 'logs'>; podStream: PodStreamHandler } {
  return {
    calls: {
      logs: async ({ peerId, params, query, signal }) =>
        streams.logs(provider.locate(peerId, params.uid), params.container, query, signal),
    },
    podStream: async ({ peerId, params: { uid, action }, query, method, rawHeaders }) => {
      const container = query.get('container') ?? undefined;
      query.delete('container');
      return streams.upgrade(provider.locate(peerId, uid), { method, action, container, query, rawHeaders });
    },
  };
}
