import { uptime } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../src/core/kube-objects.ts';
import { fault } from './faults.ts';
import { apply, eventually, get, isReady, kubectl, offloadedNamespace, podSpec, restartAgents, twins } from './lab.ts';
import { followRunLogs, loggingContainer, overlapSeconds, RUN_LOG_VOLUME } from './run-log.ts';

/** Never two of what must be one (product.md, *Promises when things fail*). */

/** The shortest fencing time there is, and what the consumer adds (core/fencing/lease.ts). */
const FENCING = '10s';
const SAFE_AFTER_MS = 20_100;
/** Beyond that: heartbeats between the last answer and the fault, the move itself, and a busy machine. */
const MOVED_WITHIN_MS = SAFE_AFTER_MS + 15_000;

function statefulSet(namespace: string): object {
  const labels = { app: 'db' };
  const metadata = { labels, annotations: { 'headcut.dev/fencing-after': FENCING } };
  // First on c, and elsewhere when that is lost.
  const term = {
    weight: 100,
    preference: { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['headcut-c'] }] },
  };
  const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [term] } };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace },
    spec: {
      serviceName: 'db',
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata, spec: podSpec({ affinity, volumes: [RUN_LOG_VOLUME] }, loggingContainer(namespace)) },
    },
  };
}

const theOne = (namespace: string) => get<Pod>('a', ['-n', namespace, 'pod', 'db-0']);

async function readyOn(namespace: string, isThere: (node: string) => boolean, withinMs = 60_000): Promise<Pod> {
  await eventually(async () => {
    const pod = await theOne(namespace);
    expect(isReady(pod)).toBe(true);
    expect(isThere(pod.spec.nodeName ?? '')).toBe(true);
  }, withinMs);
  return theOne(namespace);
}

const onC = (node: string): boolean => node === 'headcut-c';
const elsewhere = (node: string): boolean => node !== 'headcut-c';

describe('a pod of a StatefulSet', { timeout: 300_000 }, () => {
  test('whose provider is cut off is stopped there, and only then replaced', async () => {
    await using namespace = await offloadedNamespace('a');
    await using logs = followRunLogs(namespace.name);
    await apply('a', statefulSet(namespace.name));
    const before = await readyOn(namespace.name, onC);
    const condition = before.status?.conditions?.find(({ type }) => type === 'headcut.dev/Fencing');
    expect(condition?.message).toContain('out of contact with this cluster for 10 s');
    await using lost = await fault('cut c');
    const after = await readyOn(namespace.name, elsewhere, MOVED_WITHIN_MS);
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
    await lost.end();
    // What was stopped there goes, and nothing of it comes back.
    await eventually(async () => expect(await twins('c', namespace.name)).toEqual([]), 90_000);
    expect((await theOne(namespace.name)).metadata.uid).toBe(after.metadata.uid);
    const intervals = await logs.intervals();
    expect(new Set(intervals.map(({ container }) => container)).size).toBe(2);
    expect(overlapSeconds(intervals)).toBe(0);
  });

  test('is stopped also by an agent that was killed meanwhile', async () => {
    await using namespace = await offloadedNamespace('a');
    await using logs = followRunLogs(namespace.name);
    await restartAgents('a');
    await apply('a', statefulSet(namespace.name));
    await readyOn(namespace.name, onC, 90_000);
    await using lost = await fault('cut c');
    await using killed = await fault('kill c agent');
    await readyOn(namespace.name, elsewhere, MOVED_WITHIN_MS);
    await killed.end();
    await lost.end();
    await eventually(async () => expect(await twins('c', namespace.name)).toEqual([]), 90_000);
    const intervals = await logs.intervals();
    expect(new Set(intervals.map(({ container }) => container)).size).toBe(2);
    expect(overlapSeconds(intervals)).toBe(0);
  });

  test('does not start with a machine that comes back cut off', async () => {
    await using namespace = await offloadedNamespace('a');
    await using logs = followRunLogs(namespace.name);
    await restartAgents('a');
    await apply('a', statefulSet(namespace.name));
    await readyOn(namespace.name, onC, 90_000);
    await using lost = await fault('cut c');
    await using off = await fault('power c');
    const lostAt = uptime();
    await readyOn(namespace.name, elsewhere, MOVED_WITHIN_MS);
    await off.end();
    // Long enough for its kubelet to start what it finds.
    await sleep(15_000);
    await lost.end();
    await eventually(async () => expect(await twins('c', namespace.name)).toEqual([]), 90_000);
    const intervals = await logs.intervals();
    expect(new Set(intervals.map(({ container }) => container)).size).toBe(2);
    const first = intervals.filter(({ container }) => container === intervals[0]?.container);
    expect(Math.max(...first.map(({ to }) => to)), JSON.stringify(intervals)).toBeLessThan(lostAt + 1);
    expect(overlapSeconds(intervals)).toBe(0);
  });

  test('goes on through a break that is shorter than the fencing time', async () => {
    await using namespace = await offloadedNamespace('a');
    await using logs = followRunLogs(namespace.name);
    await restartAgents('a');
    await apply('a', statefulSet(namespace.name));
    const before = await readyOn(namespace.name, onC, 90_000);
    await using lost = await fault('cut c');
    await sleep(5_000);
    await lost.end();
    const after = await readyOn(namespace.name, onC, 90_000);
    expect(after.metadata.uid).toBe(before.metadata.uid);
    expect(await logs.intervals()).toHaveLength(1);
  });
});

test('other pods are fenced when they ask for it, and settings that make no sense are refused', async () => {
  const fencing = (spec: object) => JSON.stringify({ spec: { fencing: spec } });
  const patch = (spec: object) =>
    kubectl('a', ['patch', 'federation/headcut', '--type=merge', '--dry-run=server', '-p', fencing(spec)]);
  await patch({ mode: 'Required', after: '1m' });
  await expect(patch({ after: '1s' })).rejects.toThrow('must be a duration from 10s to 24h');
  await expect(patch({ mode: 'Sometimes' })).rejects.toThrow('Unsupported value');
});
