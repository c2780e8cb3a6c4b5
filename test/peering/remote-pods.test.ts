import { expect, it } from 'vitest';
import type { RemotePod } from '../../src/core/exchange/pod-submission.ts';
import { RemotePods } from '../../src/peering/remote-pods.ts';

const pod = (uid: string): RemotePod => ({
  uid,
  namespace: 'demo',
  name: uid,
  deleting: false,
  status: { phase: 'Running' },
});

function known(...uids: string[]) {
  const own = { synced: true, uids: new Set(uids) };
  const pods = new RemotePods('b', {
    get synced() {
      return own.synced;
    },
    isOn: (peerId, uid) => peerId === 'b' && own.uids.has(uid),
    countOn: () => own.uids.size,
  });
  return { pods, own };
}

it('keeps what is said of pods that are bound to the peer, and of others who they are', () => {
  const { pods } = known('ours');
  expect(pods.takeList([pod('ours'), pod('gone-at-home')], false)).toBe(true);
  expect([...pods.all.values()]).toEqual([
    pod('ours'),
    { uid: 'gone-at-home', namespace: 'demo', name: 'gone-at-home', deleting: false },
  ]);
});

it('keeps no more of these than it could ever have had', () => {
  const { pods } = known('ours');
  for (let i = 0; i < 10_000; i += 1) pods.take(pod(`invented-${i}`));
  pods.take(pod('ours'));
  expect(pods.all.size).toBeLessThanOrEqual(2_002);
  expect(pods.all.get('ours')).toEqual(pod('ours'));
  pods.takeList(
    Array.from({ length: 10_000 }, (_, i) => pod(`invented-too-${i}`)),
    true,
  );
  pods.takeList([pod('ours')], false);
  expect(pods.all.size).toBeLessThanOrEqual(2_002);
});

it('takes a list in parts as one, when the last of them came', () => {
  const { pods } = known('a', 'b');
  pods.takeList([pod('a')], false);
  expect(pods.takeList([pod('b')], true)).toBe(false);
  expect([...pods.all.keys()]).toEqual(['a']);
  expect(pods.takeList([], false)).toBe(true);
  expect([...pods.all.keys()]).toEqual(['b']);
});

it('drops the parts of a list that was broken off', () => {
  const { pods } = known('a', 'b');
  pods.takeList([pod('a')], true);
  pods.unsettle();
  expect(pods.complete).toBe(false);
  pods.takeList([pod('b')], false);
  expect([...pods.all.keys()]).toEqual(['b']);
});

it('keeps nothing while the pods of this cluster are not known, and wants to hear it then', () => {
  const { pods, own } = known('a');
  own.synced = false;
  expect(pods.takeList([pod('a')], false)).toBe(false);
  expect([pods.all.size, pods.complete, pods.mustBeToldAgain]).toEqual([0, false, false]);
  own.synced = true;
  expect(pods.mustBeToldAgain).toBe(true);
  pods.unsettle();
  expect(pods.takeList([pod('a')], false)).toBe(true);
  expect(pods.mustBeToldAgain).toBe(false);
});

it('reads a list in one line that is as long as the pods there can make it', () => {
  expect(known().pods.maxListChars).toBe(1024 * 1024);
  expect(known(...Array.from({ length: 16 }, (_, i) => `${i}`)).pods.maxListChars).toBe(2 * 1024 * 1024);
  expect(known(...Array.from({ length: 5_000 }, (_, i) => `${i}`)).pods.maxListChars).toBe(32 * 1024 * 1024);
});
