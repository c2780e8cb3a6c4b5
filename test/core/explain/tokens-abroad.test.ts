import { expect, test } from 'vitest';
import { tokensAbroad } from '../../../src/core/explain/tokens-abroad.ts';
import type { World } from '../../../src/core/explain/world.ts';
import type { KubeObject, Pod } from '../../../src/core/kube-objects.ts';

const volumes = [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }];
const pod = (
  name: string,
  nodeName: string,
  more: { account?: string; status?: Pod['status']; spec?: object } = {},
): Pod => ({
  metadata: { name, namespace: 'demo', uid: name },
  spec: { nodeName, serviceAccountName: more.account ?? 'default', containers: [{ name: 'c' }], volumes, ...more.spec },
  status: more.status ?? { phase: 'Running', startTime: '2026-01-01T00:00:00Z' },
});
const member = (name: string) => [
  { metadata: { name: `headcut-${name}`, labels: { 'headcut.dev/peer': name } } },
  { metadata: { name }, spec: { id: name } },
];

function abroad(pods: Pod[], offloadings: KubeObject[] = [], spec: object = {}): string[] {
  const [nodeB, peerB] = member('b');
  const [nodeC, peerC] = member('c');
  const federation = { metadata: { name: 'headcut' }, spec };
  const world = { federation, nodes: [nodeB, nodeC, { metadata: { name: 'a' } }], peers: [peerB, peerC], offloadings };
  return tokensAbroad(world as unknown as World, 'demo', pods);
}

test('whose tokens are where is said of each ServiceAccount once', () => {
  const told = abroad([
    pod('p1', 'headcut-c'),
    pod('p2', 'headcut-b'),
    pod('p3', 'headcut-b'),
    pod('p4', 'headcut-b', { account: 'operator' }),
    pod('p5', 'a', { account: 'home' }),
  ]);
  expect(told).toEqual([
    'Tokens of its ServiceAccount default are on b, c: who administers that can use its rights here.',
    'Tokens of its ServiceAccount operator are on b: who administers that can use its rights here.',
  ]);
});

test('there are none of pods that mount none, have ended or have not started', () => {
  const ended = { phase: 'Succeeded' as const, startTime: '2026-01-01T00:00:00Z' };
  expect(
    abroad([
      pod('p1', 'headcut-b', { spec: { volumes: [] } }),
      pod('p2', 'headcut-b', { status: ended }),
      pod('p3', 'headcut-b', { status: { phase: 'Pending' } }),
    ]),
  ).toEqual([]);
});

test('that they stay at home is said, by whichever object says so', () => {
  const kept = { serviceAccountTokens: 'KeepHome' };
  const object = { metadata: { name: 'offloading', namespace: 'demo' }, spec: kept };
  expect(abroad([], [object])[0]).toContain('stay at home');
  expect(abroad([], [], kept)[0]).toContain('stay at home');
  expect(abroad([pod('p1', 'headcut-b')], [object])[0]).toContain('sent before');
});
