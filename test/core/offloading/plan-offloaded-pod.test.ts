import { describe, expect, test } from 'vitest';
import { type RemotePod, toVerdict } from '../../../src/core/exchange/pod-submission.ts';
import type { Pod, PodStatus } from '../../../src/core/kube-objects.ts';
import { statusPatch, toLocalStatus } from '../../../src/core/offloading/local-status.ts';
import {
  type OffloadedPodObservation,
  planOffloadedPod,
  retryDelayMs,
} from '../../../src/core/offloading/plan-offloaded-pod.ts';
import { changesDigest } from '../../../src/core/offloading/pod-changes.ts';

const pod = (status: PodStatus = {}, metadata: Partial<Pod['metadata']> = {}): Pod => ({
  metadata: { name: 'web', namespace: 'demo', uid: 'u1', generation: 1, ...metadata },
  spec: { nodeName: 'headcut-b', containers: [{ name: 'c' }] },
  status: { phase: 'Pending', ...status },
});
const remote = (more: Partial<RemotePod> = {}): RemotePod => ({
  uid: 'u1',
  namespace: 'demo',
  name: 'web',
  deleting: false,
  ...more,
});
const running: PodStatus = {
  phase: 'Running',
  startTime: '2026-01-01T00:00:00Z',
  podIP: '10.244.0.5',
  hostIP: '10.0.0.2',
};

function plan(observed: Partial<OffloadedPodObservation>) {
  const base = {
    local: undefined,
    remote: undefined,
    remoteKnown: true,
    peerUnreachable: false,
    wallTime: '2026-01-01T00:01:00Z',
    lastVerdict: undefined,
    now: 0,
  };
  return planOffloadedPod({ ...base, ...observed }).actions;
}

describe('a deleted pod whose peer is unreachable', () => {
  const leaving = pod(running, { deletionTimestamp: '2026-01-01T00:00:30Z' });
  const kinds = (local: Pod, stoppedInMs?: number) =>
    plan({ local, remoteKnown: false, peerUnreachable: true, stoppedInMs }).map(({ type }) => type);

  test('keeps its name until it is sure to have stopped', () => {
    expect(kinds(leaving)).not.toContain('delete-local');
    expect(kinds(leaving, 5_000)).not.toContain('delete-local');
    expect(kinds(leaving, 0)).toEqual(['delete-local']);
    expect(kinds(pod(running), 0)).not.toContain('delete-local');
  });

  test('goes at once when it had ended before', () => {
    const ended = pod({ ...running, phase: 'Succeeded' }, { deletionTimestamp: '2026-01-01T00:00:30Z' });
    expect(kinds(ended)).toEqual(['delete-local']);
  });
});

describe('a pod of a namespace that nobody offloaded', () => {
  const notOffloaded = 'namespace demo is not offloaded';

  test('fails with the reason and an event, and is not submitted', () => {
    expect(plan({ local: pod(), notOffloaded })).toMatchObject([
      { type: 'patch-status', patch: { status: { phase: 'Failed', reason: 'NotOffloaded', message: notOffloaded } } },
      { type: 'record-event', eventType: 'Warning', reason: 'NotOffloaded', message: notOffloaded },
    ]);
    expect(plan({ local: pod({ phase: 'Failed', reason: 'NotOffloaded' }), notOffloaded })).toEqual([]);
  });

  test('waits until its peer has nothing of it any more, which is told to remove it', () => {
    const kinds = (there: RemotePod) => plan({ local: pod(), notOffloaded, remote: there }).map(({ type }) => type);
    expect(kinds(remote({ status: running }))).toEqual(['patch-status', 'delete-remote']);
    expect(kinds(remote({ deleting: true }))).toEqual(['patch-status']);
  });

  test('is not decided about while it is not known what its peer has', () => {
    expect(plan({ local: pod(), notOffloaded, remoteKnown: false })).toEqual([]);
  });

  test('can be deleted', () => {
    const leaving = pod({}, { deletionTimestamp: '2026-01-01T00:00:30Z' });
    expect(plan({ local: leaving, notOffloaded })).toEqual([{ type: 'delete-local' }]);
  });
});

describe('a provider whose answers lead nowhere', () => {
  const room = { accepted: false as const, kind: 'room' as const, reason: 'OutOfcpu', message: 'full' };
  const kinds = (observed: Partial<OffloadedPodObservation>) =>
    plan({ local: pod(), ...observed }).map(({ type }) => type);

  test('keeps a pod that it refused waiting while it is closed, which asks again after a pause', () => {
    const held = { lastVerdict: { verdict: room, retryAt: 3_000 }, held: true };
    expect(plan({ local: pod(), ...held })).toMatchObject([
      { patch: { status: { reason: 'OutOfcpu', message: 'full' } } },
      { type: 'record-event', reason: 'OutOfcpu' },
    ]);
    const shown = pod({ phase: 'Pending', reason: 'OutOfcpu', message: 'full' });
    expect(plan({ local: shown, ...held })).toEqual([]);
    expect(plan({ local: shown, ...held, now: 3_000 })).toEqual([{ type: 'submit' }]);
  });

  test('is believed less after a refusal of a pod that it had taken', () => {
    expect(kinds({ remote: remote({ refusal: { kind: 'room', reason: 'OutOfcpu', message: 'full' } }) })).toContain(
      'note-refusal',
    );
  });

  test('is asked less and less often for a pod that it took and does not show, which fails in the end', () => {
    const verdict = { accepted: true as const };
    const after = (tries: number, now: number) => kinds({ lastVerdict: { verdict, tries, retryAt: 10 }, now });
    expect([1, 2, 3, 4].map((tries) => retryDelayMs(verdict, tries))).toEqual([10_000, 20_000, 40_000, 80_000]);
    expect(after(1, 0)).toEqual([]);
    expect(after(2, 0)).toEqual(['patch-status']);
    expect(after(3, 10)).toEqual(['submit']);
    expect(after(4, 10)).toEqual(['patch-status', 'record-event', 'note-loss']);
  });

  test('that fails a pod whose containers never end is believed less', () => {
    const failed = remote({ status: { ...running, phase: 'Failed', reason: 'Evicted' } });
    expect(kinds({ remote: failed })).toContain('note-loss');
    const job = pod();
    job.spec.restartPolicy = 'Never';
    expect(kinds({ local: job, remote: failed })).not.toContain('note-loss');
  });

  test.each([
    undefined,
    null,
    'yes',
    {},
    { accepted: 'true' },
    { accepted: false },
    { accepted: false, kind: 'x', reason: 'r', message: 'm' },
    { accepted: false, kind: 'constructor' },
  ])('gives no verdict, and is asked again after a pause: %j', (answer) => {
    const verdict = toVerdict(answer);
    expect(verdict).toMatchObject({ accepted: false, kind: 'later' });
    expect(retryDelayMs(verdict, 1)).toBeGreaterThanOrEqual(1_000);
  });

  test('has its texts bounded and made plain', () => {
    const verdict = toVerdict({
      accepted: false,
      kind: 'room',
      reason: '\u001b[2J',
      message: `\u001b${'x'.repeat(5_000)}`,
    });
    expect(JSON.stringify(verdict).length).toBeLessThan(1_200);
    expect(JSON.stringify(verdict)).not.toContain('\\u001b[');
  });
});

describe('an offloaded pod', () => {
  test('is submitted when the provider certainly has none', () => {
    expect(plan({ local: pod() })).toEqual([{ type: 'submit' }]);
    expect(plan({ local: pod(), remoteKnown: false })).toEqual([]);
  });

  test('shows the status of the provider without its addresses', () => {
    const [action] = plan({ local: pod(), remote: remote({ status: running }) });
    expect(action).toMatchObject({
      type: 'patch-status',
      patch: { metadata: { uid: 'u1' }, status: { phase: 'Running' } },
    });
    expect(JSON.stringify(action)).not.toContain('10.244.0.5');
  });

  test('shows the address by which it is reached from here, and the API server is told to forget the old one', () => {
    const shown = pod({ ...running, podIP: '100.64.2.5', podIPs: [{ ip: '100.64.2.5' }], observedGeneration: 1 });
    const withAddress = (local: Pod, address: string | null | undefined) =>
      plan({ local, remote: remote({ status: running }), address }).map(
        (action) => action.type === 'patch-status' && action.patch.status,
      );
    expect(withAddress(pod(), '100.64.2.5')).toMatchObject([
      { podIP: '100.64.2.5', podIPs: [{ $patch: 'replace' }, { ip: '100.64.2.5' }] },
    ]);
    expect(withAddress(shown, '100.64.2.5')).toEqual([]);
    expect(withAddress(shown, undefined)).toEqual([]);
    expect(withAddress(shown, '100.64.9.5')).toEqual([
      { podIP: '100.64.9.5', podIPs: [{ $patch: 'replace' }, { ip: '100.64.9.5' }] },
    ]);
    expect(withAddress(shown, null)).toEqual([{ podIP: null, podIPs: [{ $patch: 'replace' }] }]);
  });

  test('costs no write when nothing changed', () => {
    expect(plan({ local: pod({ ...running, observedGeneration: 1 }), remote: remote({ status: running }) })).toEqual(
      [],
    );
  });

  test('shows as observed the generation that its provider has taken over', () => {
    const later = pod({ ...running, observedGeneration: 1 }, { generation: 2 });
    const observed = (digest: string) =>
      plan({ local: later, remote: remote({ status: running, digest }) }).flatMap((action) =>
        action.type === 'patch-status' ? [action.patch.status] : [],
      );
    expect(observed('of the first')).toEqual([]);
    expect(observed(changesDigest(later))).toEqual([{ observedGeneration: 2 }]);
  });

  test('that ended is never submitted again', () => {
    for (const phase of ['Succeeded', 'Failed'] as const) expect(plan({ local: pod({ phase }) })).toEqual([]);
  });

  test('that ran and is missing on the provider fails instead of running twice', () => {
    expect(plan({ local: pod(running) })).toMatchObject([
      { patch: { status: { phase: 'Failed', reason: 'LostOnProvider' } } },
      { type: 'record-event', eventType: 'Warning', reason: 'LostOnProvider' },
      { type: 'note-loss' },
    ]);
  });

  test('that its provider is about to end leaves its Services at once, and says why, once', () => {
    const ready = { type: 'Ready', status: 'True' as const };
    const target = { type: 'DisruptionTarget', status: 'True' as const, message: 'Eviction API: evicting' };
    const there = remote({ deleting: true, status: { ...running, conditions: [ready, target] } });
    const local = pod({ ...running, conditions: [ready] });
    const actions = plan({ local, remote: there });
    expect(actions).toMatchObject([
      { type: 'patch-status' },
      { type: 'record-event', reason: 'RemovedOnProvider', message: expect.stringContaining('Eviction API') },
    ]);
    const [patch] = actions;
    const { conditions } = (patch?.type === 'patch-status' ? patch.patch.status : {}) as PodStatus;
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'False' }));
    const shown = pod({ ...running, observedGeneration: 1, conditions: conditions ?? [] });
    expect(plan({ local: shown, remote: there, wallTime: '2026-01-01T00:02:00Z' })).toEqual([]);
  });

  test('refused for want of room fails', () => {
    const verdict = { accepted: false, kind: 'room', reason: 'OutOfcpu', message: 'full' } as const;
    const actions = plan({ local: pod(), lastVerdict: { verdict, retryAt: 0 } });
    expect(actions).toMatchObject([
      { patch: { status: { phase: 'Failed', reason: 'OutOfcpu' } } },
      { type: 'record-event', reason: 'OutOfcpu' },
    ]);
  });

  test('refused by policy waits with the reason, and says it once', () => {
    const verdict = { accepted: false, kind: 'policy', reason: 'RefusedByProvider', message: 'privileged' } as const;
    const lastVerdict = { verdict, retryAt: 1_000 };
    expect(plan({ local: pod(), lastVerdict })).toMatchObject([{ type: 'patch-status' }, { type: 'record-event' }]);
    expect(plan({ local: pod({ reason: 'RefusedByProvider', message: 'privileged' }), lastVerdict })).toEqual([]);
  });

  test('deleted at home is deleted on the provider first, and at home when it is gone there', () => {
    const local = pod(running, { deletionTimestamp: '2026-01-01T00:01:00Z', deletionGracePeriodSeconds: 30 });
    const there = remote({ status: running });
    expect(plan({ local, remote: there })).toContainEqual({
      type: 'delete-remote',
      verify: false,
      gracePeriodSeconds: 30,
    });
    expect(plan({ local })).toEqual([{ type: 'delete-local' }]);
    expect(plan({ local, remoteKnown: false })).toEqual([]);
  });

  test('that vanished at home is deleted on the provider after a second look', () => {
    expect(plan({ remote: remote() })).toEqual([{ type: 'delete-remote', verify: true }]);
    expect(plan({ remote: remote(), remoteKnown: false })).toEqual([]);
  });
});

test('a status that was applied needs no further patch', () => {
  const local = pod();
  const conditions = [
    { type: 'Ready', status: 'True' as const, lastProbeTime: null, lastTransitionTime: '2026-01-01T00:00:01Z' },
  ];
  const wanted = toLocalStatus({ ...running, conditions }, local);
  const patch = statusPatch(local, wanted);
  expect(patch).toBeDefined();
  expect(statusPatch({ ...local, status: { ...local.status, ...patch?.status } }, wanted)).toBeUndefined();
});

describe('a pod on a peer that became unreachable', () => {
  const ready = { type: 'Ready', status: 'True' as const };
  const local = pod({ ...running, conditions: [ready] });

  test('is taken out of every Service, once, and nothing else is done to it', () => {
    const [action, ...more] = plan({ local, remote: remote({ status: running }), peerUnreachable: true });
    expect(more).toEqual([]);
    expect(action).toMatchObject({
      type: 'patch-status',
      patch: { status: { conditions: [{ type: 'Ready', status: 'False', reason: 'PeerUnreachable' }] } },
    });
    const notReady = pod({ ...running, conditions: [{ ...ready, status: 'False' }] });
    expect(plan({ local: notReady, peerUnreachable: true })).toEqual([]);
  });

  test('is ready again by what the peer says after its return, and by nothing older', () => {
    const withdrawn = pod({ ...running, conditions: [{ type: 'Ready', status: 'False', reason: 'PeerUnreachable' }] });
    const status: PodStatus = { ...running, conditions: [ready] };
    expect(plan({ local: withdrawn, remote: remote({ status }), remoteKnown: false })).toEqual([]);
    expect(plan({ local: withdrawn, remote: remote({ status }) })).toMatchObject([
      { type: 'patch-status', patch: { status: { conditions: [{ type: 'Ready', status: 'True' }] } } },
    ]);
  });

  test('that has ended is left as it is', () => {
    expect(plan({ local: pod({ phase: 'Succeeded', conditions: [ready] }), peerUnreachable: true })).toEqual([]);
  });
});

test('takes back the reason of a condition that holds again, and conditions of a resize that is over', () => {
  const since = '2026-01-01T00:00:00Z';
  const conditions = [
    { type: 'Ready', status: 'False' as const, reason: 'ContainersNotReady', message: 'no', lastTransitionTime: since },
    { type: 'PodResizePending', status: 'True' as const, reason: 'Deferred' },
  ];
  const ready = { type: 'Ready', status: 'True' as const, lastTransitionTime: since };
  expect(statusPatch(pod({ conditions }), { conditions: [ready] })?.status.conditions).toEqual([
    { ...ready, reason: null, message: null },
    { type: 'PodResizePending', $patch: 'delete' },
  ]);
  expect(statusPatch(pod({ conditions: [ready] }), { conditions: [ready] })).toBeUndefined();
});

test('a change of the pod is sent until the provider shows it, and not again once it was refused', () => {
  const labelled = pod(running, { labels: { tier: 'front' } });
  const before = remote({ status: running, digest: changesDigest(pod()) });
  const digest = changesDigest(labelled);
  expect(plan({ local: labelled, remote: before })).toContainEqual({ type: 'update-remote', digest });
  for (const observed of [
    { local: labelled, remote: { ...before, digest } },
    { local: labelled, remote: before, refusedDigest: digest },
    { local: labelled, remote: before, remoteKnown: false },
    { local: labelled, remote: remote({ status: running }) },
  ])
    expect(plan(observed)).not.toContainEqual(expect.objectContaining({ type: 'update-remote' }));
});

test('a superseded pod that turned out healthy serves until its replacement is Ready, or for too long', () => {
  const readyStatus: PodStatus = { ...running, conditions: [{ type: 'Ready', status: 'True' }] };
  const going = pod(readyStatus, { deletionTimestamp: '2026-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 });
  const types = (observed: Partial<OffloadedPodObservation>) =>
    plan({ local: going, ...observed }).map(({ type }) => type);
  const healthy = remote({ status: readyStatus });
  expect(types({ remote: healthy, replacementPendingMs: 1_000 })).not.toContain('delete-remote');
  expect(types({ remote: healthy, replacementPendingMs: 0 })).toContain('delete-remote');
  expect(types({ remote: healthy })).toContain('delete-remote');
  expect(types({ remote: remote({ status: running }), replacementPendingMs: 1_000 })).toContain('delete-remote');
});
