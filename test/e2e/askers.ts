import { expect } from 'vitest';
import { SteadyClient } from '../../scripts/bench/clients.ts';
import type { Pod } from '../../src/core/kube-objects.ts';
import { apply, eventually, isReady, kubectl, list, pod, podSpec } from './lab.ts';

/** The clusters of the lab whose agents are there; `a` is the home of what is tested. */
export const clusters = (
  await Promise.all(
    ['a', 'b', 'c'].map((cluster) =>
      kubectl(cluster, ['get', 'federation', 'headcut']).then(
        () => [cluster],
        () => [],
      ),
    ),
  )
).flat();
/** All but `a`. */
export const peers = clusters.filter((cluster) => cluster !== 'a');
/** The node of each cluster as `a` knows it, in the same order. */
export const nodes = ['a', ...peers.map((peer) => `headcut-${peer}`)];

/** CoreDNS keeps what it found, and what it did not find, for 30 s. */
export const DNS_CACHE_MS = 45_000;

/** A Service for the pods with its own name as their label. */
export function service(namespace: string, name: string, spec: object = {}): object {
  const ports = [{ port: 80, targetPort: 8080 }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports, ...spec },
  };
}

/** Patient: a machine that tests is busy, and a probe that is late is no failure of what is tested. */
export const READY_PROBE = {
  readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1, timeoutSeconds: 5 },
};

/** Runs a shell script in a pod, as its owner does. */
export function shell(namespace: string, podName: string, script: string): Promise<string> {
  return kubectl('a', ['-n', namespace, 'exec', podName, '--', 'sh', '-c', script]);
}

/** One pod on each member, which ask. */
export async function askers(namespace: string): Promise<string[]> {
  const names = clusters.map((cluster) => `asker-${cluster}`);
  await apply(
    'a',
    ...nodes.map((node, index) =>
      pod(namespace, names[index] ?? '', podSpec({ nodeSelector: { 'kubernetes.io/hostname': node } })),
    ),
  );
  await eventually(async () => {
    const pods = await list<Pod>('a', ['-n', namespace, 'pods', '-l', `app in (${names.join()})`]);
    expect(pods.filter(isReady)).toHaveLength(names.length);
  }, 60_000);
  return names;
}

/** The addresses that a name has in a pod. */
export async function lookup(namespace: string, asker: string, name: string): Promise<string[]> {
  const text = await shell(namespace, asker, `nslookup ${name} | grep -A1 ^Name | grep ^Address || true`);
  return [...new Set(text.split('\n').flatMap((line) => /Address: ?(\S+)/.exec(line)?.[1] ?? []))].sort();
}

/**
 * A client in the network of a pod, which asks the Service `web` of its namespace and has got answers to all that it asked lately.
 * @param answerWithinMs an answer that comes later counts as none
 */
export async function startAsking(
  { cluster, namespace, asker }: { cluster: string; namespace: string; asker: string },
  answerWithinMs: number,
): Promise<SteadyClient> {
  const web = ['-n', namespace, 'get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}'];
  const client = new SteadyClient(asker, `http://${await kubectl(cluster, web)}`, answerWithinMs);
  await client.untilSteady();
  return client;
}

/** So many that each of two pods behind a Service is asked, and that one of six is not asked by chance alone. */
const ASKED = 24;

/** The names of the pods that answered, and `none` for each time that nobody did. */
export async function answered(namespace: string, asker: string, url: string, times = ASKED): Promise<Set<string>> {
  const script = `for i in $(seq ${times}); do timeout 5 wget -qO- ${url} || echo none; done`;
  const lines = (await shell(namespace, asker, script)).trim().split('\n');
  return new Set(lines.map((line) => /hello from pod (\S+)/.exec(line)?.[1] ?? line));
}
