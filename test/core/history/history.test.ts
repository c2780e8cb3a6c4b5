import { describe, expect, test } from 'vitest';
import { MAX_MOMENTS, type Moment, parseMoments, remember } from '../../../src/core/history/moment.ts';
import { momentsOfPeer } from '../../../src/core/history/peer-moments.ts';
import { PodHistory } from '../../../src/core/history/pod-moments.ts';
import type { Pod } from '../../../src/core/kube-objects.ts';
import type { PeerObject } from '../../../src/core/membership/peer-object.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const at = (seconds: number): string => new Date(NOW + seconds * 1000).toISOString();

describe('what a member remembers', () => {
  test('the same again within a minute is one moment, with how often', () => {
    const refused: Moment = { at: at(0), kind: 'refused', peer: 'b', namespace: 'shop', workload: 'Deployment/web' };
    let moments = remember([], refused, NOW);
    moments = remember(moments, { ...refused, at: at(20) }, NOW + 20_000);
    expect(moments).toEqual([{ ...refused, at: at(20), count: 2 }]);
    moments = remember(moments, { ...refused, at: at(100) }, NOW + 100_000);
    expect(moments).toHaveLength(2);
  });

  test('pods that move together are counted together', () => {
    const moved: Moment = {
      at: at(0),
      kind: 'moved',
      peer: 'b',
      namespace: 'shop',
      workload: 'Deployment/web',
      pods: 1,
    };
    expect(remember(remember([], moved, NOW), moved, NOW)).toMatchObject([{ pods: 2 }]);
  });

  test('it is bounded, and one peer that comes and goes does not push out the others', () => {
    let moments: Moment[] = [];
    for (let minute = 0; minute < 300; minute += 1) {
      const now = NOW + minute * 61_000;
      if (minute % 10 === 0)
        moments = remember(moments, { at: at(minute * 61), kind: 'joined', peer: `p${minute}` }, now);
      moments = remember(moments, { at: at(minute * 61), kind: 'lost', peer: 'flaps', text: 'x'.repeat(10_000) }, now);
    }
    expect(moments.filter(({ kind }) => kind === 'joined')).toHaveLength(30);
    expect(moments.length).toBeLessThanOrEqual(MAX_MOMENTS);
    expect(JSON.stringify(moments).length).toBeLessThan(100_000);
  });

  test('what is older than two days is forgotten', () => {
    const moments = remember([], { at: at(0), kind: 'joined', peer: 'b' }, NOW);
    const later = NOW + 49 * 3_600_000;
    expect(remember(moments, { at: new Date(later).toISOString(), kind: 'left', peer: 'b' }, later)).toHaveLength(1);
  });

  test.each([
    ['no JSON', '{'],
    ['no list', '{"at":1}'],
    ['no moments', '[1, null, {"at":"x","kind":"lost"}, {"at":"2026-01-01T00:00:00Z","kind":"other"}]'],
    ['nothing', undefined],
  ])('of what is stored, %s is nothing to remember', (_what, text) => {
    expect(parseMoments(text)).toEqual([]);
  });

  test('texts of others are one plain line', () => {
    const stored = JSON.stringify([{ at: at(0), kind: 'lost', peer: 'b', text: 'a\n\u001b[31mb', evil: {} }]);
    expect(parseMoments(stored)).toEqual([{ at: at(0), kind: 'lost', peer: 'b', text: 'a\\u000a\\u001b[31mb' }]);
  });
});

describe('what changes of peers mean', () => {
  const peer = (status: PeerObject['status']): PeerObject =>
    ({
      metadata: { name: 'b' },
      spec: { id: 'b' },
      ...(status === undefined ? {} : { status }),
    }) as unknown as PeerObject;
  const kinds = (before: PeerObject | undefined, after: PeerObject | undefined): string[] =>
    momentsOfPeer(before, after, NOW).map(({ kind }) => kind);

  test('a new one joined, one that is gone left', () => {
    expect([kinds(undefined, peer({})), kinds(peer({}), undefined)]).toEqual([['joined'], ['left']]);
  });

  test('one is lost once, and back after the time it was away', () => {
    const lost = peer({ state: 'Unreachable', lastSeen: at(-30) });
    expect(kinds(peer({ state: 'Suspect' }), lost)).toEqual(['lost']);
    expect(kinds(lost, lost)).toEqual([]);
    expect(kinds(peer({ state: 'Connected' }), peer({ state: 'Suspect' }))).toEqual([]);
    expect(momentsOfPeer(lost, peer({ state: 'Connected' }), NOW)).toEqual([
      { at: at(0), kind: 'back', peer: 'b', seconds: 30 },
    ]);
  });

  test('another way of packets is told, the first one is not', () => {
    const by = (path: string | null) => peer({ state: 'Connected', network: { path, prefix: null } });
    expect(kinds(by('UDP'), by('TLS'))).toEqual(['path']);
    expect(kinds(by(null), by('UDP'))).toEqual([]);
  });
});

describe('what changes of pods mean', () => {
  const pod = (
    name: string,
    more: { node?: string; ready?: boolean; superseded?: boolean; reason?: string } = {},
  ): Pod => ({
    metadata: {
      ...{ name, namespace: 'shop', uid: name, labels: { 'pod-template-hash': 'h' } },
      ...(more.superseded === true ? { deletionTimestamp: at(0) } : {}),
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-h', uid: 'rs', controller: true }],
    },
    spec: { nodeName: more.node ?? 'headcut-b', containers: [] },
    status: {
      ...(more.reason === undefined ? {} : { reason: more.reason, message: 'no room' }),
      conditions: [
        { type: 'Ready', status: more.ready === true ? 'True' : 'False' },
        ...(more.superseded === true
          ? [{ type: 'DisruptionTarget', status: 'True' as const, reason: 'PeerLost' }]
          : []),
      ],
    },
  });

  function history(pods: () => Pod[]): PodHistory {
    return new PodHistory({
      peerOf: (node) => (node === 'headcut-b' ? 'b' : undefined),
      silentSince: () => NOW - 3_000,
      siblings: pods,
    });
  }

  test('a failover is told when all replacements are Ready, with the time since the peer was heard of', () => {
    let pods = [pod('kept', { node: 'a', ready: true }), pod('one', { ready: true }), pod('two', { ready: true })];
    const told = history(() => pods);
    const change = (name: string, after: Pod, seconds: number): Moment[] => {
      const before = pods.find((one) => one.metadata.name === name);
      pods = [...pods.filter((one) => one !== before), after];
      return told.note(before, after, NOW + seconds * 1000);
    };
    expect(change('one', pod('one', { superseded: true }), 4)).toEqual([]);
    expect(change('two', pod('two', { superseded: true }), 4)).toEqual([]);
    expect(change('three', pod('three', { node: 'a', ready: true }), 6)).toEqual([]);
    expect(change('four', pod('four', { node: 'a' }), 6)).toEqual([]);
    expect(change('four', pod('four', { node: 'a', ready: true }), 7.4)).toEqual([
      {
        ...{ at: at(7.4), kind: 'failover', peer: 'b', namespace: 'shop', workload: 'Deployment/web' },
        ...{ pods: 2, seconds: 10.4 },
      },
    ]);
    expect(change('four', pod('four', { node: 'a', ready: true }), 9)).toEqual([]);
  });

  /** The same pod, of another controller. */
  const of = (controller: string, one: Pod): Pod => ({
    ...one,
    metadata: {
      ...one.metadata,
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: controller, uid: controller, controller: true },
      ],
    },
  });

  test('a controller that vanishes during its failover is told ten minutes later, once', () => {
    const told = history(() => []);
    const lost = of('gone', pod('one', { superseded: true }));
    expect(told.note(of('gone', pod('one')), lost, NOW)).toEqual([]);
    expect(told.note(lost, undefined, NOW)).toEqual([]);
    const other = of('other', pod('else', { ready: true }));
    expect(told.note(undefined, other, NOW + 599_000)).toEqual([]);
    expect(told.note(undefined, other, NOW + 600_000)).toEqual([
      {
        ...{ at: at(600), kind: 'failover', peer: 'b', namespace: 'shop', workload: 'ReplicaSet/gone' },
        ...{ pods: 1, text: '1 not replaced' },
      },
    ]);
    expect(told.note(other, undefined, NOW + 601_000)).toEqual([]);
  });

  test('thousands of controllers that vanish do not hide the failover of another', () => {
    let pods: Pod[] = [];
    const told = history(() => pods);
    const early: Moment[] = [];
    for (let count = 0; count < 2_500; count += 1) {
      const name = `gone-${count}`;
      early.push(...told.note(of(name, pod(name)), of(name, pod(name, { superseded: true })), NOW));
    }
    // The oldest are told as they are: what is kept is bounded.
    expect(early).toHaveLength(1_500);
    expect(told.note(pod('one'), pod('one', { superseded: true }), NOW + 1_000)).toHaveLength(1);
    pods = [pod('two', { node: 'a', ready: true })];
    expect(told.note(undefined, pods[0], NOW + 5_000)).toMatchObject([
      { kind: 'failover', workload: 'Deployment/web', pods: 1, seconds: 8 },
    ]);
    expect(told.note(pods[0], pods[0], NOW + 3_600_000)).toHaveLength(999);
    expect(told.note(pods[0], pods[0], NOW + 3_600_000)).toEqual([]);
  });

  test('a refusal is told once, with its reason', () => {
    const refused = pod('one', { reason: 'RefusedByProvider' });
    const told = history(() => [refused]);
    expect(told.note(pod('one'), refused, NOW)).toMatchObject([{ kind: 'refused', peer: 'b', text: 'no room' }]);
    expect(told.note(refused, refused, NOW)).toEqual([]);
  });
});
