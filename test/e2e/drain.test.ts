import { beforeAll, describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import { headcut } from './headcut-command.ts';
import {
  apply,
  countByNode,
  deployment,
  eventually,
  get,
  isReady,
  kubectl,
  list,
  offloadedNamespace,
  pod,
  podSpec,
  readyPods,
  twins,
} from './lab.ts';

/** Pods that leave a provider because somebody wants that, on either side. */

const REPLICAS = 4;

function budget(namespace: string, minAvailable: number): object {
  const metadata = { name: 'web', namespace };
  const spec = { minAvailable, selector: { matchLabels: { app: 'web' } } };
  return { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata, spec };
}

/** Looks all the time how many replicas can serve. */
function watchAvailable(namespace: string): { stop(): Promise<number> } {
  let lowest = Number.POSITIVE_INFINITY;
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      const web = await get<{ metadata: { name: string }; status?: { availableReplicas?: number } }>('a', [
        '-n',
        namespace,
        'deployment',
        'web',
      ]);
      lowest = Math.min(lowest, web.status?.availableReplicas ?? 0);
    }
  })();
  const stop = async (): Promise<number> => {
    stopped = true;
    await watching;
    return lowest;
  };
  return { stop };
}

/** kubectl drain refuses pods without a controller; such of other tests may still be ending. */
beforeAll(async () => {
  await eventually(async () => {
    const there = await list<Pod>('a', ['pods', '-A', '--field-selector', 'spec.nodeName=headcut-b']);
    expect(there.filter(({ metadata }) => metadata.ownerReferences === undefined)).toEqual([]);
  }, 60_000);
}, 70_000);

const onB = (pods: Pod[]): Pod[] => pods.filter(({ spec }) => spec.nodeName === 'headcut-b');

describe('on the consumer', () => {
  const drain = (timeout: string) =>
    kubectl('a', ['drain', 'headcut-b', '--ignore-daemonsets', '--delete-emptydir-data', `--timeout=${timeout}`]);

  test('kubectl drain moves pods away within their disruption budget, and cordon keeps new ones off', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', deployment(name, 'web', REPLICAS), budget(name, REPLICAS - 1));
    expect(onB(await readyPods('a', name, REPLICAS))).not.toEqual([]);
    await using stack = new AsyncDisposableStack();
    stack.defer(async () => void (await kubectl('a', ['uncordon', 'headcut-b'])));
    const watching = watchAvailable(name);
    await drain('90s');
    expect(onB(await readyPods('a', name, REPLICAS))).toEqual([]);
    expect(await watching.stop()).toBeGreaterThanOrEqual(REPLICAS - 1);
    await eventually(async () => expect(await twins('b', name)).toEqual([]));
    await kubectl('a', ['-n', name, 'scale', 'deployment/web', `--replicas=${REPLICAS + 3}`]);
    expect(onB(await readyPods('a', name, REPLICAS + 3))).toEqual([]);
  });

  test('kubectl drain waits for a budget that allows nothing, and moves nothing', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', deployment(name, 'web', 2, podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } })));
    await apply('a', budget(name, 2));
    const before = await readyPods('a', name, 2);
    await using stack = new AsyncDisposableStack();
    stack.defer(async () => void (await kubectl('a', ['uncordon', 'headcut-b'])));
    await expect(drain('8s')).rejects.toThrow('disruption budget');
    const uids = (pods: Pod[]) => pods.map(({ metadata }) => metadata.uid).sort();
    expect(uids(await readyPods('a', name, 2))).toEqual(uids(before));
  });
});

describe('on the provider', () => {
  test('headcut drain has consumers move their pods within their budgets, and says which stay', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    const bare = podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } });
    await apply('a', deployment(name, 'web', REPLICAS), budget(name, REPLICAS - 1), pod(name, 'bare', bare));
    await readyPods('a', name, REPLICAS + 1);
    await using stack = new AsyncDisposableStack();
    stack.defer(async () => void (await headcut('b', 'drain', '--undo')));
    const watching = watchAvailable(name);
    const first = await headcut('b', 'drain', '--timeout', '20s');
    expect(first.exitCode).toBe(1);
    expect(first.stderr).toMatch(/1 pods of peers are still here after 20s \(.*bare/);
    expect(await watching.stop()).toBeGreaterThanOrEqual(REPLICAS - 1);
    await eventually(async () => {
      // One that was on its way when the door closed was refused, and has failed.
      const live = (await list<Pod>('a', ['-n', name, 'pods'])).filter(({ status }) => status?.phase !== 'Failed');
      expect(live.filter(isReady)).toHaveLength(REPLICAS + 1);
      expect(onB(live).map(({ metadata }) => metadata.name)).toEqual(['bare']);
    }, 60_000);
    // The one that stays goes on in its Services.
    const node = await get<Node>('a', ['node', 'headcut-b']);
    expect(node.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'True',
      message: 'it is drained for maintenance',
    });
    await kubectl('a', ['-n', name, 'delete', 'pod', 'bare']);
    expect(await headcut('b', 'drain', '--timeout', '30s')).toMatchObject({ exitCode: 0 });
    await stack.disposeAsync();
    await kubectl('a', ['-n', name, 'rollout', 'restart', 'deployment/web']);
    await kubectl('a', ['-n', name, 'rollout', 'status', 'deployment/web', '--timeout=90s']);
    await eventually(async () => {
      const pods = await list<Pod>('a', ['-n', name, 'pods']);
      expect(countByNode(pods)['headcut-b']).toBeGreaterThan(0);
    });
  });
});
