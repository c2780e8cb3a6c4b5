import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { install } from '../../src/ops/install.ts';
import { installObjects } from '../../src/ops/install-objects.ts';
import { jumpingClock } from '../jumping-clock.ts';

const TIMEOUT_MS = 180_000;
const deployment = {
  metadata: { name: 'headcut', generation: 1 },
  spec: { replicas: 1 },
  status: { observedGeneration: 1, updatedReplicas: 1, replicas: 1, availableReplicas: 1 },
};
const federation = { metadata: { name: 'headcut' }, status: { id: 'x', endpoints: ['192.0.2.1:7443'] } };

/** An API server whose requests of these numbers, counted from 1, end with an error. */
function apiServer(broken: readonly number[], error: Error) {
  let requests = 0;
  const applied = new Set<string>();
  const answer = async <T>(value: T): Promise<T> => {
    requests += 1;
    if (broken.includes(requests)) throw error;
    return value;
  };
  const kinds = [...new Set(installObjects({}).map(({ kind = '' }) => kind))];
  const resources = kinds.map((kind) => ({ name: kind.toLowerCase(), kind, namespaced: false }));
  const client = {
    request: () => answer({ resources }),
    apply: async (_type: unknown, object: KubeObject) => {
      await answer(undefined);
      applied.add(`${object.kind} ${object.metadata.name}`);
    },
    list: () => answer({ items: [] }),
    get: ({ kind }: { kind: string }) => answer(kind === 'Deployment' ? deployment : federation),
  } as unknown as KubeClient;
  return { client, applied, requests: () => requests };
}

const run = (client: KubeClient) => install(client, { timeoutMs: TIMEOUT_MS, clock: jumpingClock() });
const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

describe('installing', () => {
  it('goes on where the API server is out of reach for a moment, at whatever point', async () => {
    const calm = apiServer([], refused);
    await run(calm.client);
    for (let request = 2; request <= calm.requests(); request += 1) {
      const { client, applied } = apiServer([request, request + 1], refused);
      expect(await run(client)).toMatchObject({ id: 'x' });
      expect(applied).toEqual(calm.applied);
    }
  });

  it('says at once that an API server is not there, and what one does not allow', async () => {
    await expect(run(apiServer([1], refused).client)).rejects.toThrow('cannot be reached');
    const { client, requests } = apiServer([5], new ApiError(403, { message: 'not for you' }));
    await expect(run(client)).rejects.toThrow('not for you');
    expect(requests()).toBe(5);
  });

  it('keeps an optional part that is installed, in its present form, without being told again', async () => {
    const { client, applied } = apiServer([], refused);
    await run(client);
    expect(applied).toContain('ClusterRoleBinding headcut-csr-approver');
    const lacking = apiServer([], refused);
    const missing = async (type: { kind: string }) => {
      if (type.kind === 'ClusterRoleBinding') throw new ApiError(404, { reason: 'NotFound' });
      return lacking.client.get(type as never, {});
    };
    await run({ ...lacking.client, get: missing } as unknown as KubeClient);
    expect(lacking.applied).toContain('ClusterRole headcut');
    expect(lacking.applied).not.toContain('ClusterRoleBinding headcut-csr-approver');
  });

  it('pulls no image but one that was named, and that only where it is not there', () => {
    const policiesOf = (image?: string): string[] => {
      const text = JSON.stringify(installObjects({ image }));
      return [...new Set([...text.matchAll(/"imagePullPolicy":"(\w+)"/g)].map(([, policy]) => policy ?? ''))];
    };
    expect(policiesOf()).toEqual(['Never']);
    expect(policiesOf('headcut.dev/headcut:other')).toEqual(['Never']);
    expect(policiesOf('registry.example.org/headcut:1')).toEqual(['IfNotPresent']);
  });

  it('gives up when the time is over', async () => {
    const from5 = Array.from({ length: 2_000 }, (_, index) => index + 5);
    await expect(run(apiServer(from5, new ApiError(503, {})).client)).rejects.toThrow('503');
  });
});
