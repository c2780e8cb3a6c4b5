import { expect, test } from 'vitest';
import { createKeptVolumes } from '../../../src/agent/guest-volume/kept-volumes.ts';
import { ORIGIN_CLUSTER_LABEL } from '../../../src/core/labels.ts';
import { LEFT_AT_ANNOTATION, type PersistentVolumeClaim } from '../../../src/core/volume/volume-objects.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createLogger } from '../../../src/runtime/logger.ts';
import { FakeStore } from '../../fake-store.ts';

const HOUR_MS = 3_600_000;

const ofFormer = (leftAt: number): PersistentVolumeClaim => ({
  metadata: {
    name: 'volume-u1',
    namespace: 'twin',
    uid: 'x1',
    labels: { [ORIGIN_CLUSTER_LABEL]: 'm'.repeat(52) },
    annotations: { [LEFT_AT_ANNOTATION]: new Date(leftAt).toISOString() },
  },
  spec: {},
});

test('the time for which data of a former member is kept goes on when the agent starts anew', async () => {
  const known = Promise.withResolvers<void>();
  let isKnown = false;
  const done: string[] = [];
  const client = {
    patch: async () => done.push('patch'),
    delete: async () => done.push('delete'),
  } as unknown as KubeClient;
  const claims = new FakeStore<PersistentVolumeClaim>();
  const kept = createKeptVolumes({
    ...{ client, claims },
    homes: { goneForMs: () => (isKnown ? 0 : undefined), onChange: () => {} },
    keepMs: () => HOUR_MS,
    membersKnown: () => known.promise,
    clock: systemClock,
    logger: createLogger('silent'),
  });
  const end = new AbortController();
  const running = kept.run(end.signal);
  claims.set(ofFormer(Date.now() - 2 * HOUR_MS));
  await systemClock.sleep(50);
  expect(done).toEqual([]);
  isKnown = true;
  known.resolve();
  await expect.poll(() => done).toEqual(['delete']);
  end.abort();
  await running;
});
