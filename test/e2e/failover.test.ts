import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { PODS } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { fault } from './faults.ts';
import {
  apply,
  deployment,
  eventually,
  fingerprints,
  get,
  isReady,
  kubectl,
  list,
  offloadedNamespace,
  pod,
  podSpec,
  readyPods,
  restartAgents,
  tryFederation,
  twins,
} from './lab.ts';
import { connect } from './members.ts';

/** What happens to pods whose peer is lost (product.md, *Promises when things fail*). */

/** 3 s to notice the loss, 5 s to wait, 2 s to start. */
const REPLACED_WITHIN_MS = 10_000;
/** A peer that was lost often is heard for up to a minute before it counts again. */
const CALM_WITHIN_MS = 90_000;

async function isNodeReady(cluster: string, peer: string): Promise<boolean> {
  return isReady(await get<Node>(cluster, ['node', `headcut-${peer}`]));
}

function readyElsewhere(pods: readonly Pod[], ...lost: string[]): Pod[] {
  const gone = lost.map((peer) => `headcut-${peer}`);
  return pods.filter((one) => isReady(one) && !gone.includes(one.spec.nodeName ?? ''));
}

const podsOf = (namespace: string): Promise<Pod[]> => list<Pod>('a', ['-n', namespace, 'pods']);

/** The pods of a namespace of `a` as they are now, without a kubectl for each look: that would be part of what is timed. */
async function follow(namespace: string): Promise<{ pods(): Pod[] } & AsyncDisposable> {
  const client = await connect('a');
  const reflector = new Reflector<Pod>({ client, type: PODS, namespace, clock: systemClock, logger: silentLogger });
  const stop = new AbortController();
  const running = reflector.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
    await client.close();
  };
  await reflector.whenSynced();
  return { pods: () => reflector.list(), [Symbol.asyncDispose]: end };
}

/** Gives how long it took, from now on, until that many pods were Ready on members other than c. */
async function replacedAfterMs(pods: () => Pod[], count: number): Promise<number> {
  const start = performance.now();
  await vi.waitFor(() => expect(readyElsewhere(pods(), 'c')).toHaveLength(count), {
    interval: 20,
    timeout: 2 * REPLACED_WITHIN_MS,
  });
  const tookMs = performance.now() - start;
  console.info(`replaced after ${Math.round(tookMs)} ms`);
  return tookMs;
}

/** Everything is well again, and as many pods as wanted are there. */
async function calm(namespace: string, replicas: number): Promise<Pod[]> {
  await eventually(async () => {
    for (const peer of ['b', 'c']) expect(await isNodeReady('a', peer)).toBe(true);
  }, CALM_WITHIN_MS);
  return readyPods('a', namespace, replicas);
}

describe.each([
  ['whose link is cut', 'cut c'],
  ['that freezes', 'freeze c'],
])('a peer %s', (_name, words) => {
  test('has its replicas replaced in 10 s; the others are not touched, and superseded copies go when it is back', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', deployment(name, 'web', 6));
    const before = await readyPods('a', name, 6);
    const kept = fingerprints(before.filter((one) => one.spec.nodeName !== 'headcut-c'));
    expect(kept.length).toBeLessThan(6);
    await using followed = await follow(name);
    await using lost = await fault(words);
    expect(await replacedAfterMs(followed.pods, 6)).toBeLessThan(REPLACED_WITHIN_MS);
    expect(fingerprints(readyElsewhere(await podsOf(name), 'c'))).toEqual(expect.arrayContaining(kept));
    await lost.end();
    const after = await calm(name, 6);
    expect(fingerprints(after)).toEqual(expect.arrayContaining(kept));
    await eventually(async () =>
      expect(await twins('c', name)).toHaveLength(after.filter((one) => one.spec.nodeName === 'headcut-c').length),
    );
  });
});

describe('the time of failover', () => {
  test('is that of the namespace, and of a pod template before it', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', {
      apiVersion: 'headcut.dev/v1alpha1',
      kind: 'Offloading',
      metadata: { name: 'offloading', namespace: name },
      spec: { failover: { after: '0s' } },
    });
    const never = deployment(name, 'never', 3) as { spec: { template: { metadata: { annotations?: object } } } };
    never.spec.template.metadata.annotations = { 'headcut.dev/failover-after': 'Never' };
    await apply('a', deployment(name, 'now', 3), never);
    const before = await readyPods('a', name, 6);
    const stay = before.filter((one) => one.metadata.labels?.app === 'never');
    await using followed = await follow(name);
    const now = (): Pod[] => followed.pods().filter((one) => one.metadata.labels?.app === 'now');
    expect(readyElsewhere(now(), 'c').length).toBeLessThan(3);
    await using lost = await fault('cut c');
    expect(await replacedAfterMs(now, 3)).toBeLessThan(REPLACED_WITHIN_MS / 2);
    await sleep(REPLACED_WITHIN_MS);
    const present = await list<Pod>('a', ['-n', name, 'pods', '-l', 'app=never']);
    expect(fingerprints(present)).toEqual(fingerprints(stay));
    await lost.end();
    const after = await calm(name, 6);
    expect(fingerprints(after)).toEqual(expect.arrayContaining(fingerprints(stay)));
  });

  test('refuses what is no time, and says what is', async () => {
    const patch = (after: string) => tryFederation({ failover: { after } });
    await patch('Never');
    await patch('1m30s');
    await expect(patch('soon')).rejects.toThrow('must be Never or a duration');
  });
});

describe('when there is nowhere to go', () => {
  test('nothing moves, and everything is as before when the peers come back', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    // A fresh agent holds no former failures against its peers, which would come back one by one.
    await restartAgents('a');
    await calm(name, 0);
    await kubectl('a', ['cordon', 'a']);
    try {
      await apply('a', deployment(name, 'web', 4));
      const before = await readyPods('a', name, 4);
      await using lost = await fault('cut a');
      await eventually(async () => {
        for (const peer of ['b', 'c']) expect(await isNodeReady('a', peer)).toBe(false);
      });
      await sleep(REPLACED_WITHIN_MS);
      expect(fingerprints(await list<Pod>('a', ['-n', name, 'pods']))).toEqual(fingerprints(before));
      await lost.end();
      expect(fingerprints(await calm(name, 4))).toEqual(fingerprints(before));
    } finally {
      await kubectl('a', ['uncordon', 'a']);
    }
  });

  test('pods move home when all peers are lost and home has room', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', deployment(name, 'web', 6));
    await readyPods('a', name, 6);
    await using _ = await fault('cut a');
    await eventually(
      async () => expect(readyElsewhere(await podsOf(name), 'b', 'c')).toHaveLength(6),
      2 * REPLACED_WITHIN_MS,
    );
  });
});

test("a Job's pod that ends while the link is down succeeded once, and a bare pod waits for its peer", async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  const onC = { nodeSelector: { 'kubernetes.io/hostname': 'headcut-c' } };
  const template = {
    spec: { ...podSpec(onC, { command: ['sh', '-c', 'sleep 8'] }), restartPolicy: 'Never' },
  };
  await apply('a', pod(name, 'bare', podSpec(onC)), {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'job', namespace: name },
    spec: { template },
  });
  const before = await readyPods('a', name, 2);
  await using lost = await fault('cut a c');
  await sleep(15_000);
  await lost.end();
  await kubectl('a', ['-n', name, 'wait', 'job/job', '--for=condition=Complete', '--timeout=90s']);
  const after = await list<Pod>('a', ['-n', name, 'pods']);
  expect(fingerprints(after)).toEqual(fingerprints(before));
});
