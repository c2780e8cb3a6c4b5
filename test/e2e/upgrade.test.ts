import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Pod } from '../../src/core/kube-objects.ts';
import { clusters, service, startAsking } from './askers.ts';
import {
  apply,
  deployment,
  fingerprints,
  kubectl,
  list,
  offloadedNamespace,
  pod,
  podSpec,
  readyPods,
  restartAgents,
} from './lab.ts';

/** What comes after the agents are back: connections, sessions, tunnels that were taken over. */
const SETTLES_IN_MS = 5_000;
/** Without WireGuard in the kernel packets wait while the agents' pods are made anew; TCP sends them again. */
const PATIENCE_MS = 15_000;

test('agents are upgraded under load: no request through a Service fails, and no pod is touched', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  const replicas = 2 * clusters.length;
  await apply('a', service(name, 'web'), deployment(name, 'web', replicas, podSpec()));
  const before = fingerprints(await readyPods('a', name, replicas));
  // A name that no other pod on this machine has: the client finds its network by it.
  const asker = `load-${process.pid}`;
  await apply('a', pod(name, asker, podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'a' } })));
  await kubectl('a', ['-n', name, 'wait', `pod/${asker}`, '--for=condition=Ready', '--timeout=50s']);
  await using client = await startAsking({ cluster: 'a', namespace: name, asker }, PATIENCE_MS);
  const since = Date.now();
  await restartAgents(...clusters);
  await sleep(SETTLES_IN_MS + PATIENCE_MS);
  const { sent, failed } = client.answersSince(since);
  expect(sent).toBeGreaterThan(100);
  expect(failed).toBe(0);
  expect(fingerprints(await list<Pod>('a', ['-n', name, 'pods', '-l', 'app=web']))).toEqual(before);
});
