import type { KubeObject } from '../../src/core/kube-objects.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import type { KubeClient } from '../../src/kube/client.ts';

/** A cluster with a Federation and peers; the agent, where there is one, does what the annotation asks for. */
export function fakeCluster(options: { agent: boolean; status?: object; peerState?: string }) {
  const federation: KubeObject & { spec?: object; status?: object } = {
    metadata: { name: 'headcut', annotations: {} },
    status: options.status ?? {},
  };
  const peers = new Set(['b', 'c']);
  const status = { state: options.peerState ?? 'Connected' };
  const client = {
    get: () => Promise.resolve(structuredClone(federation)),
    list: () =>
      Promise.resolve({
        items: [...peers].map((name) => ({ metadata: { name }, spec: { id: name }, status })),
        resourceVersion: '1',
      }),
    patch: (_type: unknown, _address: unknown, patch: { metadata?: KubeObject['metadata']; spec?: object }) => {
      if (patch.spec !== undefined) federation.spec = patch.spec;
      if (patch.metadata?.annotations === undefined) return Promise.resolve(federation);
      if (options.agent) peers.clear();
      else federation.metadata.annotations = patch.metadata.annotations;
      return Promise.resolve(federation);
    },
    delete: (_type: unknown, { name }: { name: string }) =>
      peers.delete(name) ? Promise.resolve() : Promise.reject(new ApiError(404, {})),
  } as unknown as KubeClient;
  return { client, peers, federation };
}
