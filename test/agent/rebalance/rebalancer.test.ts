import { afterEach, describe, expect, it } from 'vitest';
import type { PeerChange } from '../../../src/agent/ports.ts';
import { Rebalancer } from '../../../src/agent/rebalance/rebalancer.ts';
import type { KubeObject, Node, Pod } from '../../../src/core/kube-objects.ts';
import { FEDERATION_NAME } from '../../../src/core/membership/peer-object.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import { type Clock, systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { node, replica } from '../../core/rebalance/replica-fixture.ts';
import { FakeStore } from '../../fake-store.ts';

/** A minute in 30 ms. */
const SPEED = 2_000;
const fastClock: Clock = {
  now: systemClock.now,
  monotonic: () => systemClock.monotonic() * SPEED,
  sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
};
const minutes = (count: number): Promise<void> => fastClock.sleep(count * 60_000);

const federation = (after: string): KubeObject =>
  ({ metadata: { name: FEDERATION_NAME }, spec: { rebalance: { after } } }) as KubeObject;

let stop = new AbortController();
afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

/** A cluster whose scheduler puts each replica where the fewest are. @param refuse why an eviction is refused */
function cluster(options: {
  placed: string[];
  after?: string;
  refuse?: (pod: Pod) => Error | undefined;
  sticky?: boolean;
}) {
  const { placed, after = '1m', refuse = () => undefined, sticky = false } = options;
  const nodes = new FakeStore<Node>([node('a'), node('headcut-b'), node('headcut-c')]);
  const pods = new FakeStore<Pod>(placed.map((name) => replica(name)));
  const federations = new FakeStore<KubeObject>([federation(after)]);
  const evicted: string[] = [];
  const count = (name: string): number => pods.list().filter((pod) => pod.spec.nodeName === name).length;
  const create = (_type: unknown, { metadata }: KubeObject): Promise<never> => {
    const key = `${metadata.namespace}/${metadata.name}`;
    const pod = pods.get(key) as Pod;
    const error = refuse(pod);
    if (error !== undefined) return Promise.reject(error);
    evicted.push(pod.spec.nodeName ?? '');
    const names = nodes.list().map((one) => one.metadata.name);
    const emptiest = names.sort((one, other) => count(one) - count(other))[0] ?? '';
    pods.delete(key);
    pods.set(replica(sticky ? (pod.spec.nodeName ?? '') : emptiest));
    return Promise.resolve(undefined as never);
  };
  const listeners: ((id: string, change: PeerChange) => void)[] = [];
  const links = {
    get: () => undefined,
    list: () => [],
    synced: true,
    onChange: (listener: (typeof listeners)[number]) => void listeners.push(listener),
  };
  const offloadings = new FakeStore<KubeObject>();
  const rebalancer = new Rebalancer({
    client: { create: create as never },
    identities: { client: () => undefined },
    pods,
    nodes,
    offloadings,
    federations,
    links,
    clock: fastClock,
    logger: silentLogger,
  });
  void rebalancer.run(stop.signal);
  const placement = (): string =>
    nodes
      .list()
      .map(({ metadata }) => count(metadata.name))
      .join('/');
  return {
    evicted,
    placement,
    federations,
    comesAndGoes: () => {
      for (const listener of listeners) listener('x', 'state');
    },
  };
}

const six = ['a', 'a', 'a', 'headcut-b', 'headcut-b', 'headcut-b'];

describe('replicas that are spread unevenly', () => {
  it('are moved one after the other when no peer came or went for the time that is set', async () => {
    const { placement, evicted } = cluster({ placed: six });
    await expect.poll(placement, { timeout: 5_000 }).toBe('2/2/2');
    await minutes(5);
    expect(evicted.sort()).toEqual(['a', 'headcut-b']);
  });

  it('stay where they are while peers come and go', async () => {
    const { placement, comesAndGoes } = cluster({ placed: six, after: '40m' });
    for (let times = 0; times < 60; times++) {
      comesAndGoes();
      await minutes(1);
    }
    expect(placement()).toBe('3/3/0');
    await expect.poll(placement, { timeout: 5_000 }).toBe('2/2/2');
  });

  it('stay where they are when it is set to Never, until it is set otherwise', async () => {
    const { placement, federations } = cluster({ placed: six, after: 'Never' });
    await minutes(5);
    expect(placement()).toBe('3/3/0');
    federations.set(federation('1m'));
    await expect.poll(placement, { timeout: 5_000 }).toBe('2/2/2');
  });

  it('are left alone when a move made nothing more even', async () => {
    const { evicted } = cluster({ placed: six, sticky: true });
    await expect.poll(() => evicted.length, { timeout: 5_000 }).toBe(1);
    await minutes(10);
    expect(evicted).toHaveLength(1);
  });

  it('move as soon as a disruption budget lets them', async () => {
    let held = 3;
    const { placement } = cluster({
      placed: six,
      refuse: () => (held-- > 0 ? new ApiError(429, {}) : undefined),
    });
    await expect.poll(placement, { timeout: 5_000 }).toBe('2/2/2');
  });

  it('are not asked for again and again where the agent may not move them', async () => {
    let asked = 0;
    const { placement } = cluster({
      placed: six,
      refuse: () => {
        asked += 1;
        return new ApiError(403, {});
      },
    });
    await expect.poll(() => asked, { timeout: 5_000 }).toBe(1);
    await minutes(10);
    expect(placement()).toBe('3/3/0');
    expect(asked).toBe(1);
  });
});
