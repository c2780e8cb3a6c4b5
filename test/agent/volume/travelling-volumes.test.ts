import { describe, expect, test } from 'vitest';
import type { PeerLink, PeerLinks, PeerState } from '../../../src/agent/ports.ts';
import { TravellingVolumes } from '../../../src/agent/volume/travelling-volumes.ts';
import type { VolumeAnswer } from '../../../src/core/exchange/volume.ts';
import type { KubeObject, Node } from '../../../src/core/kube-objects.ts';
import { PEER_LABEL } from '../../../src/core/labels.ts';
import {
  LEFT_PLACES_ANNOTATION,
  type PersistentVolume,
  type PersistentVolumeClaim,
  PLACE_ANNOTATION,
  SELECTED_NODE_ANNOTATION,
  type StorageClass,
  VOLUME_DRIVER,
  VOLUME_FINALIZER,
} from '../../../src/core/volume/volume-objects.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { EVENTS, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from '../../../src/kube/resources.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createLogger } from '../../../src/runtime/logger.ts';
import { FakeStore } from '../../fake-store.ts';

const B = 'b'.repeat(52);
const C = 'c'.repeat(52);
const OURS: StorageClass = { metadata: { name: 'headcut' }, provisioner: VOLUME_DRIVER, reclaimPolicy: 'Delete' };
const KEY = 'shop/data';

/** What `null` removes, as in a merge patch. */
function merged(object: unknown, patch: unknown): unknown {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = { ...(object as object | undefined) };
  for (const [name, value] of Object.entries(patch))
    if (value === null) delete result[name];
    else if (value !== undefined) result[name] = merged(result[name], value);
  return result;
}

/** A home with two peers, whose cache sees what it writes at once. */
function startHome({ failoverMs = 100 }: { failoverMs?: number } = {}) {
  const claims = new FakeStore<PersistentVolumeClaim>();
  const volumes = new FakeStore<PersistentVolume>();
  const events: KubeObject[] = [];
  const client = {
    create: async (type: unknown, object: KubeObject) => {
      if (type === EVENTS) events.push(object);
      if (type === PERSISTENT_VOLUMES) volumes.set(object as PersistentVolume);
      return object;
    },
    patch: async (type: unknown, { name }: { name: string }, patch: object) => {
      if (type === PERSISTENT_VOLUME_CLAIMS) claims.set(merged(claims.get(KEY), patch) as PersistentVolumeClaim);
      else volumes.set(merged(volumes.get(name), patch) as PersistentVolume);
    },
  } as unknown as KubeClient;
  const states = new Map<string, PeerState>([B, C].map((id) => [id, 'Connected']));
  const listeners: Parameters<PeerLinks['onChange']>[0][] = [];
  const calls: string[] = [];
  let answer: VolumeAnswer = { state: 'Pending', message: '' };
  let isGone = true;
  const linkOf = (id: string) =>
    ({
      id,
      name: id.slice(0, 1),
      state: states.get(id),
      call: async (name: string) => {
        calls.push(`${name} ${id.slice(0, 1)}`);
        return name === 'deleteVolume' ? { gone: isGone } : answer;
      },
    }) as unknown as PeerLink;
  const links: PeerLinks = {
    synced: true,
    get: (id) => (states.has(id) ? linkOf(id) : undefined),
    list: () => [...states.keys()].map(linkOf),
    onChange: (listener) => listeners.push(listener),
  };
  const node = (id: string): Node => ({
    metadata: { name: `headcut-${id.slice(0, 1)}`, labels: { [PEER_LABEL]: id } },
  });
  const travelling = new TravellingVolumes({
    ...{ client, claims, volumes, links },
    classes: new FakeStore([OURS]),
    nodes: new FakeStore([node(B), node(C)]),
    settings: () => undefined,
    failoverMs: () => failoverMs,
    namespace: 'headcut-system',
    clock: systemClock,
    logger: createLogger('silent'),
  });
  claims.set({
    metadata: { name: 'data', namespace: 'shop', uid: 'u1', annotations: { [SELECTED_NODE_ANNOTATION]: 'headcut-b' } },
    spec: { storageClassName: 'headcut', resources: { requests: { storage: '1Gi' } } },
  });
  const end = new AbortController();
  const running = travelling.run(end.signal);
  return {
    ...{ claims, volumes, calls, events },
    annotations: () => claims.get(KEY)?.metadata.annotations ?? {},
    finalizers: () => claims.get(KEY)?.metadata.finalizers ?? [],
    answers: (next: VolumeAnswer) => {
      answer = next;
    },
    keepsData: () => {
      isGone = false;
    },
    become: (id: string, state: PeerState) => {
      states.set(id, state);
      for (const listener of listeners) listener(id, 'state');
    },
    change: (patch: object) => claims.set(merged(claims.get(KEY), patch) as PersistentVolumeClaim),
    stop: () => {
      end.abort();
      return running;
    },
  };
}

describe('a claim whose peer is lost while it makes the volume', () => {
  async function lost() {
    const home = startHome();
    await expect.poll(() => home.calls).toContain('putVolume b');
    home.become(B, 'Unreachable');
    await expect.poll(() => home.annotations()[SELECTED_NODE_ANNOTATION], { timeout: 5_000 }).toBeUndefined();
    return home;
  }

  test('is placed anew, and what was left behind goes when the peer is back', async () => {
    const home = await lost();
    expect(home.annotations()).toEqual({ [LEFT_PLACES_ANNOTATION]: B });
    home.change({ metadata: { annotations: { [SELECTED_NODE_ANNOTATION]: 'headcut-c' } } });
    await expect.poll(() => home.calls, { timeout: 5_000 }).toContain('putVolume c');
    expect(home.annotations()).toMatchObject({ [PLACE_ANNOTATION]: C, [LEFT_PLACES_ANNOTATION]: B });
    expect(home.calls).not.toContain('deleteVolume b');
    home.become(B, 'Connected');
    await expect.poll(() => home.annotations()[LEFT_PLACES_ANNOTATION], { timeout: 5_000 }).toBeUndefined();
    expect(home.calls).toContain('deleteVolume b');
    expect(home.finalizers()).toEqual([VOLUME_FINALIZER]);
    await home.stop();
  });

  test('is not taken back from the peer once that is to make it after all', async () => {
    const home = await lost();
    home.change({ metadata: { annotations: { [SELECTED_NODE_ANNOTATION]: 'headcut-b' } } });
    home.keepsData();
    home.become(B, 'Connected');
    await expect.poll(() => home.annotations()[PLACE_ANNOTATION], { timeout: 5_000 }).toBe(B);
    await expect.poll(() => home.annotations()[LEFT_PLACES_ANNOTATION], { timeout: 5_000 }).toBeUndefined();
    expect(home.calls).not.toContain('deleteVolume b');
    await home.stop();
  });

  test('goes at once when it is deleted, and volumes remember what is to be deleted elsewhere', async () => {
    const home = await lost();
    home.change({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } });
    await expect.poll(() => home.finalizers(), { timeout: 5_000 }).toEqual([]);
    expect(home.volumes.list().map(({ spec }) => spec.csi?.volumeHandle)).toEqual([`${B}/u1`]);
    expect(home.volumes.list()[0]?.metadata.name).not.toBe('headcut-u1');
    await home.stop();
  });
});

test('a peer that says something else each time has no event written for each', async () => {
  const home = startHome();
  let count = 0;
  home.answers({
    state: 'Pending',
    get message() {
      count += 1;
      return `at work, ${count}`;
    },
  });
  const asked = () => home.calls.filter((call) => call === 'putVolume b').length;
  await expect.poll(asked, { timeout: 5_000 }).toBeGreaterThan(1);
  expect(home.events).toHaveLength(1);
  await home.stop();
});
