import { describe, expect, test } from 'vitest';
import type { Pod, PodSpec } from '../../../src/core/kube-objects.ts';
import { planShadowPod, toRemotePod } from '../../../src/core/shadow-pod/plan-shadow-pod.ts';
import { gatedBy, type ShadowPod, toShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import { GATE_CONTAINER } from '../../../src/core/shadow-pod/start-gate.ts';
import { translatePod } from '../../../src/core/shadow-pod/translate-pod.ts';

const surroundings = { nameserver: '10.96.7.7', homeApi: undefined, clusterDomain: 'cluster.local', image: 'agent:1' };
const home = (spec: Partial<PodSpec> = {}): Pod => ({
  metadata: { name: 'db-0', namespace: 'demo', uid: 'u1' },
  spec: { containers: [{ name: 'db' }], initContainers: [{ name: 'init' }], ...spec },
});
const shadowOf = (status?: ShadowPod['status'], pod = home()): ShadowPod => ({
  ...toShadowPod('cluster-a', { pod, virtualNode: 'headcut-b', objects: [], fencing: { afterSeconds: 30 } }),
  ...(status === undefined ? {} : { status }),
});
const real = (metadata: Partial<Pod['metadata']> = {}): Pod => {
  const pod = translatePod(shadowOf(), surroundings);
  return { ...pod, metadata: { ...pod.metadata, uid: 'r1', ...metadata }, status: { phase: 'Running' } };
};
const plan = (pod: Pod | undefined, status: ShadowPod['status'], lease: { fenced: boolean; mayRun: boolean }) =>
  planShadowPod({ shadow: shadowOf(status), pod, deleting: false, ...lease, ...inContact, now: 0 }).actions;
const inContact = { homeLostMs: undefined, homeGoneMs: undefined };

const made = { podUID: 'r1', phase: 'Running' };
const over = { fenced: true, mayRun: false };

describe('a fenced pod on its provider', () => {
  test('starts behind a gate, before everything of its own', () => {
    const { initContainers = [] } = translatePod(shadowOf(), surroundings).spec;
    expect(initContainers.map(({ name }) => name)).toEqual([GATE_CONTAINER, 'init']);
    expect(initContainers[0]).toMatchObject({ image: 'agent:1', command: expect.arrayContaining(['10.96.7.7']) });
    expect(initContainers[0]).not.toHaveProperty('resources');
    const imported = translatePod(shadowOf(), { ...surroundings, imagePullPolicy: 'Never' }).spec.initContainers;
    expect(imported?.[0]).toMatchObject({ image: 'agent:1', imagePullPolicy: 'Never' });
    expect(() => translatePod(shadowOf(), { ...surroundings, image: undefined })).toThrow('own image');
  });

  test('asks by the UID that this cluster gave, which no other member can have said', () => {
    const own = { ...shadowOf(), metadata: { ...shadowOf().metadata, uid: 's1' } };
    const others = { ...own, metadata: { ...own.metadata, uid: 's2' } };
    expect(translatePod(own, surroundings).spec.initContainers?.[0]?.command).toContain('s1.gate.headcut');
    expect(gatedBy('s1', [others, own])).toEqual([own]);
    // As gates of earlier versions do.
    expect(gatedBy('u1', [others, own])).toEqual([others, own]);
  });

  test('keeps its class of service with the gate', () => {
    const limits = { cpu: '1', memory: '1Gi' };
    const guaranteed = shadowOf(
      undefined,
      home({ containers: [{ name: 'db', resources: { limits, requests: limits } }] }),
    );
    const gate = translatePod(guaranteed, surroundings).spec.initContainers?.[0];
    expect(gate?.resources).toEqual({ limits: expect.anything(), requests: expect.anything() });
  });

  test('is made only while its home consents', () => {
    expect(plan(undefined, undefined, { fenced: false, mayRun: false })).toEqual([]);
    expect(plan(undefined, undefined, { fenced: false, mayRun: true })).toEqual([{ type: 'create-pod' }]);
  });

  test('is stopped within a second when its time is over, also when it is being deleted with more', () => {
    const stop = [{ type: 'delete-pod', uid: 'r1', gracePeriodSeconds: 1 }];
    expect(plan(real(), made, over)).toEqual(stop);
    const leaving = { deletionTimestamp: '2026-01-01T00:00:00Z' };
    expect(plan(real({ ...leaving, deletionGracePeriodSeconds: 30 }), made, over)).toEqual(stop);
    expect(plan(real({ ...leaving, deletionGracePeriodSeconds: 1 }), made, over)).toEqual([]);
  });

  test('has failed once it has stopped, and is never made again', () => {
    const [action] = plan(undefined, made, over);
    expect(action).toMatchObject({ type: 'write-status', status: { phase: 'Failed', terminal: { reason: 'Fenced' } } });
    expect(plan(undefined, undefined, over)).toMatchObject([{ status: { terminal: { reason: 'Fenced' } } }]);
    const ended = { ...made, terminal: { phase: 'Failed' as const, reason: 'Fenced' } };
    expect(plan(undefined, ended, { fenced: false, mayRun: true })).toEqual([]);
  });

  test('shows no gate at home', () => {
    const status = (...names: string[]) => ({
      phase: 'Pending' as const,
      initContainerStatuses: names.map((name) => ({ name, ready: false, restartCount: 0 })),
    });
    const told = (...names: string[]) =>
      toRemotePod({ shadow: shadowOf(made), pod: { ...real(), status: status(...names) }, deleting: false });
    expect(told(GATE_CONTAINER, 'init').status).toEqual(status('init'));
    expect(told(GATE_CONTAINER).status).toEqual({ phase: 'Pending' });
    expect(told().fencing).toEqual({ afterSeconds: 30 });
  });
});
