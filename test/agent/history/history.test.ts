import { expect, test } from 'vitest';
import { History } from '../../../src/agent/history/history.ts';
import { HISTORY_KEY, type Moment } from '../../../src/core/history/moment.ts';
import type { Node, Pod } from '../../../src/core/kube-objects.ts';
import { PEER_LABEL } from '../../../src/core/labels.ts';
import type { PeerObject } from '../../../src/core/membership/peer-object.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import { type Clock, systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { FakeStore } from '../../fake-store.ts';

/** Waits are short, times are true. */
const clock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 20), signal) };

function pod(name: string, more: { ready?: boolean; lost?: boolean; orphan?: boolean } = {}): Pod {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'web', controller: true };
  return {
    metadata: {
      ...{ name, namespace: 'shop', uid: name },
      ...(more.orphan === true ? {} : { ownerReferences: [owner] }),
      ...(more.lost === true ? { deletionTimestamp: new Date().toISOString() } : {}),
    },
    spec: { nodeName: 'headcut-b', containers: [] },
    status: {
      conditions: [
        { type: 'Ready', status: more.ready === true ? 'True' : 'False' },
        ...(more.lost === true ? [{ type: 'DisruptionTarget', status: 'True' as const, reason: 'PeerLost' }] : []),
      ],
    },
  };
}

test('a pod that left its controller replaces none of its pods any more', async () => {
  const stop = new AbortController();
  const written: Moment[][] = [];
  const client = {
    get: () => Promise.reject(new ApiError(404, { message: 'not found', reason: 'NotFound' })),
    apply: async (_type: unknown, { data }: { data?: Record<string, string> }) => {
      written.push(JSON.parse(data?.[HISTORY_KEY] ?? ''));
      return {};
    },
  };
  const pods = new FakeStore<Pod>([]);
  const history = new History({
    client: client as unknown as ConstructorParameters<typeof History>[0]['client'],
    peers: new FakeStore([{ metadata: { name: 'b' }, spec: { id: 'id-b' } } as unknown as PeerObject]),
    nodes: new FakeStore([{ metadata: { name: 'headcut-b', labels: { [PEER_LABEL]: 'id-b' } } } as unknown as Node]),
    ...{ pods, clock, namespace: 'headcut-system', version: '9.9.9', logger: silentLogger },
  });
  const ended = history.run(stop.signal);
  const failovers = (): Moment[] => (written.at(-1) ?? []).filter(({ kind }) => kind === 'failover');
  for (const one of ['one', 'two']) pods.set(pod(one, { ready: true }));
  for (const one of ['one', 'two']) pods.set(pod(one, { lost: true }));
  pods.set(pod('three', { ready: true }));
  pods.set(pod('three', { ready: true, orphan: true }));
  pods.set(pod('four', { ready: true }));
  await expect.poll(() => written.length).toBeGreaterThan(0);
  expect(failovers()).toEqual([]);
  pods.set(pod('five', { ready: true }));
  await expect.poll(failovers).toMatchObject([{ peer: 'b', namespace: 'shop', workload: 'ReplicaSet/web', pods: 2 }]);
  stop.abort();
  await ended;
});
