import { afterEach, expect, test, vi } from 'vitest';
import { ObjectSender } from '../../../src/agent/offloading/object-sender.ts';
import type { PeerLink } from '../../../src/agent/ports.ts';
import type { ConfigObject, Pod } from '../../../src/core/kube-objects.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

const pod: Pod = { metadata: { name: 'p', namespace: 'n', uid: 'u' }, spec: { containers: [] } };
const reference = { kind: 'Secret', name: 's' } as const;
const object = (version: string): ConfigObject => ({
  kind: 'Secret',
  metadata: { name: 's', uid: 'o', resourceVersion: version },
  data: { k: version },
});
const state = (version?: string) => [{ reference, object: version === undefined ? undefined : object(version) }];

const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});
const until = (check: () => void) => vi.waitFor(check, 10_000);

/** A peer that remembers what it was sent: a version, or that the object is gone. */
function start() {
  const peer = { sent: [] as string[], fails: 0, state: 'Connected' };
  const link = {
    get state() {
      return peer.state;
    },
    call: async (_name: string, { body }: { body: { objects: ConfigObject[]; gone?: unknown[] } }) => {
      const { objects, gone = [] } = body;
      if (peer.fails-- > 0) throw new Error('not now');
      peer.sent.push(...objects.map(({ data }) => data?.k ?? ''), ...gone.map(() => 'gone'));
    },
  } as unknown as PeerLink;
  const sender = new ObjectSender({ links: { get: () => link }, clock: systemClock, logger: silentLogger });
  const stop = new AbortController();
  stops.push(stop);
  void sender.controller.run(stop.signal);
  return { sender, peer };
}

test('what came along with the pod is not sent again, and a change of it is, once', async () => {
  const { sender, peer } = start();
  sender.submitted('b', pod, state('1'));
  sender.follow('b', pod, state('1'));
  sender.follow('b', pod, state('2'));
  await until(() => expect(peer.sent).toEqual(['2']));
  sender.follow('b', pod, state('2'));
  sender.follow('b', pod, state());
  await until(() => expect(peer.sent).toEqual(['2', 'gone']));
  sender.follow('b', pod, state('3'));
  await until(() => expect(peer.sent).toEqual(['2', 'gone', '3']));
});

test('what changed while the pod was taken is sent then', async () => {
  const { sender, peer } = start();
  sender.submitted('b', pod, state());
  sender.follow('b', pod, state('1'));
  await until(() => expect(peer.sent).toEqual(['1']));
});

test('what failed is tried again, with what there is by then', async () => {
  const { sender, peer } = start();
  peer.fails = 1;
  sender.follow('b', pod, state('1'));
  await until(() => expect(peer.fails).toBe(0));
  sender.follow('b', pod, state('2'));
  await until(() => expect(peer.sent).toEqual(['2']));
});

test('what changed while the peer was away is sent when it is back', async () => {
  const { sender, peer } = start();
  sender.submitted('b', pod, state('1'));
  peer.state = 'Unreachable';
  sender.follow('b', pod, state());
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(peer.sent).toEqual([]);
  peer.state = 'Connected';
  sender.follow('b', pod, state());
  await until(() => expect(peer.sent).toEqual(['gone']));
});
