import { expect, test } from 'vitest';
import { Offloading, type OffloadingDeps } from '../../../src/agent/offloading/offloading.ts';
import { PeerRooms } from '../../../src/agent/virtual-node/peer-rooms.ts';
import type { Offer } from '../../../src/core/exchange/offer.ts';
import type { RemotePod } from '../../../src/core/exchange/pod-submission.ts';
import type { KubeObject, Pod, PodStatus } from '../../../src/core/kube-objects.ts';
import { isTerminal } from '../../../src/core/pod-phase.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { PeerLinks } from '../../../src/peering/ports.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { FakeStore } from '../../fake-store.ts';
import { SimulatedTime } from '../../sim/simulated-time.ts';

/** What a provider that promises and does not keep costs the cluster of its consumer: pods, calls and writes. */

const MINUTE = 60_000;
const OFFER: Offer = {
  capacity: {},
  allocatable: { cpu: '1000000', memory: '1Pi', pods: '1000000' },
  nodeInfo: {},
  labels: {},
  accepting: true,
};
const ROOM = { accepted: false, kind: 'room', reason: 'OutOfcpu', message: 'full' };

/** A cluster with a ReplicaSet whose pods only the peer can take; as a scheduler, what binds them looks at the node alone. */
class Home {
  readonly time = new SimulatedTime();
  readonly pods = new FakeStore<Pod>();
  readonly remote = new Map<string, RemotePod>();
  readonly rooms: PeerRooms;
  created = 0;
  calls = 0;
  writes = 0;
  readonly #answer: (uid: string, home: Home) => unknown;
  readonly #listeners: ((id: string, change: { podUid: string }) => void)[] = [];

  constructor(answer: (uid: string, home: Home) => unknown) {
    this.#answer = answer;
    this.rooms = new PeerRooms(this.time.clock, () => {});
  }

  tell(uid: string, status: PodStatus): void {
    this.show({ uid, namespace: 'demo', name: uid, deleting: false, status });
  }

  show(remote: RemotePod): void {
    this.remote.set(remote.uid, remote);
    for (const listener of this.#listeners) listener('b', { podUid: remote.uid });
  }

  get alive(): Pod[] {
    return this.pods.list().filter(({ status }) => !isTerminal(status));
  }

  /** @param turn what happens besides, ten times a second */
  async live(replicas: number, ms: number, turn: () => void = () => {}): Promise<void> {
    const offloading = new Offloading(this.#deps());
    const stop = new AbortController();
    const running = offloading.run(stop.signal);
    for (let left = ms; left > 0; left -= 100) {
      this.#schedule(replicas);
      turn();
      await this.time.pass(100);
    }
    stop.abort();
    await running;
  }

  #schedule(replicas: number): void {
    for (let missing = replicas - this.alive.length; missing > 0; missing -= 1) this.#create();
    for (const pod of this.alive) {
      if (pod.spec.nodeName !== undefined) continue;
      const bound = this.alive.filter(({ spec }) => spec.nodeName !== undefined).length;
      if (bound >= Number(this.rooms.believed('b', OFFER, bound).pods)) return;
      this.pods.set({ ...pod, spec: { ...pod.spec, nodeName: 'headcut-b' } });
    }
  }

  #create(): void {
    this.created += 1;
    const name = `p${this.created}`;
    this.pods.set({
      metadata: { name, namespace: 'demo', uid: name },
      spec: { containers: [{ name: 'c' }] },
      status: { phase: 'Pending' },
    });
  }

  #deps(): OffloadingDeps {
    const call = async (_name: string, { params }: { params: { uid: string } }): Promise<unknown> => {
      this.calls += 1;
      return this.#answer(params.uid, this);
    };
    const link = {
      id: 'b',
      name: 'b',
      state: 'Connected',
      podsSynced: true,
      pods: this.remote,
      offer: OFFER,
      call,
      speaks: () => true,
    };
    const links = {
      get: () => link,
      list: () => [link],
      synced: true,
      onChange: (listener: (id: string, change: { podUid: string }) => void) => void this.#listeners.push(listener),
    };
    const node = this.#node();
    return {
      client: {
        get: async (_type: unknown, { name }: { name: string }) => ({ metadata: { name, uid: name } }),
      } as unknown as KubeClient,
      pods: this.pods,
      nodesSynced: () => Promise.resolve(),
      offloaded: { whyNot: () => Promise.resolve(undefined) },
      links: links as unknown as PeerLinks,
      nodes: {
        peerOf: (name) => (name === 'headcut-b' ? 'b' : undefined),
        nameFor: () => 'headcut-b',
        rooms: this.rooms,
      },
      identities: { client: () => node, onReady: () => {} },
      addresses: { imageOf: () => undefined, onChange: () => {} } as unknown as OffloadingDeps['addresses'],
      services: { servicesFor: () => 'told' },
      fencing: { afterMs: () => undefined, stoppedInMs: () => undefined } as unknown as OffloadingDeps['fencing'],
      hostIp: '192.0.2.1',
      tokensLeave: () => true,
      claimsOf: () => [],
      stopAfterSeconds: () => undefined,
      clock: this.time.clock,
      random: () => 0,
      logger: silentLogger,
    };
  }

  #node(): KubeClient {
    return {
      create: async (_type: unknown, object: KubeObject) => {
        this.writes += 1;
        return object;
      },
      patch: async (_type: unknown, { name }: { name: string }, patch: { status: PodStatus }) => {
        this.writes += 1;
        const pod = this.pods.get(`demo/${name}`);
        if (pod !== undefined) this.pods.set({ ...pod, status: { ...pod.status, ...patch.status } });
      },
    } as unknown as KubeClient;
  }
}

test.each<[string, (uid: string, home: Home) => unknown, number]>([
  ['refuses all pods for want of room', () => ROOM, 40],
  ['takes pods and has none', () => ({ accepted: true }), 40],
  [
    'takes pods and fails them at once',
    (uid, home) => {
      home.time.after(10, () => home.tell(uid, { phase: 'Failed', reason: 'Evicted' }));
      return { accepted: true };
    },
    60,
  ],
  [
    'takes pods, says that they run and fails them',
    (uid, home) => {
      home.time.after(10, () => home.tell(uid, { phase: 'Running', startTime: '2026-01-01T00:00:00Z' }));
      home.time.after(500, () => home.tell(uid, { phase: 'Failed', reason: 'Evicted' }));
      return { accepted: true };
    },
    60,
  ],
  ['answers what is no verdict', () => ({ accepted: false, kind: 'x' }), 5],
])(
  'a provider that %s makes its consumer create no heap of pods',
  async (_how, answer, most) => {
    const home = new Home(answer);
    await home.live(4, 10 * MINUTE);
    expect(home.created).toBeLessThanOrEqual(most);
    expect(home.calls).toBeLessThanOrEqual(400);
    expect(home.writes).toBeLessThanOrEqual(400);
  },
  60_000,
);

test('where there is room again all pods run within seconds, though no offer says so', async () => {
  let hasRoom = false;
  const home = new Home((uid, { time, tell }) => {
    if (!hasRoom) return ROOM;
    time.after(10, () => tell.call(home, uid, { phase: 'Running', startTime: '2026-01-01T00:00:00Z' }));
    return { accepted: true };
  });
  await home.live(4, 32_000);
  expect(home.created).toBeLessThanOrEqual(12);
  hasRoom = true;
  await home.live(4, 30_000);
  expect(home.alive.map(({ status }) => status?.phase)).toEqual(['Running', 'Running', 'Running', 'Running']);
}, 60_000);

test('refusals whose reasons differ each time are told a few times', async () => {
  let count = 0;
  const home = new Home((uid, { time, tell }) => {
    time.after(10, () => tell.call(home, uid, { phase: 'Pending' }));
    return { accepted: true };
  });
  await home.live(1, MINUTE, () => {
    count += 1;
    const there = home.remote.get('p1');
    const refusal = { kind: 'policy' as const, reason: `R${count}`, message: `m${count}` };
    if (there !== undefined) home.show({ ...there, refusal });
  });
  expect(home.writes).toBeLessThanOrEqual(70 + 27);
}, 60_000);

test('a status that changes a hundred times a second is written once a second', async () => {
  const home = new Home((uid) => {
    home.tell(uid, { phase: 'Running', startTime: '2026-01-01T00:00:00Z' });
    return { accepted: true };
  });
  let count = 0;
  await home.live(1, MINUTE, () => {
    for (let times = 0; times < 10; times += 1) {
      count += 1;
      if (home.remote.has('p1'))
        home.tell('p1', { phase: 'Running', startTime: '2026-01-01T00:00:00Z', message: `m${count}` });
    }
  });
  expect(home.writes).toBeGreaterThan(30);
  expect(home.writes).toBeLessThanOrEqual(70);
}, 60_000);
