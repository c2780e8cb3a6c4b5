import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SteadyClient } from '../../scripts/bench/clients.ts';
import type { Pod } from '../../src/core/kube-objects.ts';
import { VERSION } from '../../src/runtime/version.ts';
import { PROTOCOL_VERSION } from '../../src/wire/endpoints.ts';
import { clusters, service, startAsking } from './askers.ts';
import { headcut } from './headcut-command.ts';
import {
  apply,
  evenDeployment,
  eventually,
  get,
  isReady,
  kubectl,
  list,
  offloadedNamespace,
  pod,
  podSpec,
  twins,
} from './lab.ts';
import { peerOf, seesReady } from './members.ts';
import {
  install,
  makeOlderBuild,
  OLDER_PROTOCOL,
  OLDER_SHOWS_VERSIONS,
  OLDER_VERSION,
  removeOlderBuild,
} from './older-build.ts';

/** What comes after an agent is back: connections, sessions, tunnels that were taken over. */
const SETTLES_IN_MS = 5_000;
/**
 * Without WireGuard in the kernel packets wait while an agent's pod is made anew. TCP sends the first one again after 1, 3, 7 and 15 s;
 * what is answered after the last of these was slow, and not lost.
 */
const PATIENCE_MS = 20_000;
/** A machine on which three clusters start pods is busy. */
const READY_WITHIN_MS = 120_000;

const on = (node: string) => ({ nodeSelector: { 'kubernetes.io/hostname': node } });

/** Says what it was given, then serves. */
const GREETS = {
  command: ['sh', '-c', 'echo "$GREETING $(cat /word/word)"; exec /bin/serve'],
  env: [{ name: 'GREETING', valueFrom: { configMapKeyRef: { name: 'greeting', key: 'text' } } }],
  volumeMounts: [{ name: 'word', mountPath: '/word' }],
};
const WORD = { volumes: [{ name: 'word', secret: { secretName: 'word' } }] };

const given = (namespace: string): object[] => [
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'greeting', namespace }, data: { text: 'hello' } },
  { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'word', namespace }, stringData: { word: 'world' } },
];

function statefulSet(namespace: string, replicas: number): object {
  const labels = { app: 'db' };
  // Fenced ones are not sent to members of before protocol 4.
  const annotations = { 'headcut.dev/fencing': 'None' };
  const template = { metadata: { labels, annotations }, spec: podSpec() };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace },
    spec: { replicas, serviceName: 'db', podManagementPolicy: 'Parallel', selector: { matchLabels: labels }, template },
  };
}

/** Runs on `away` from before the first upgrade until after the last one. */
function job(namespace: string, away: string): object {
  const spec = podSpec(on(away), { command: ['sleep', '3600'] });
  const template = { metadata: { labels: { app: 'job' } }, spec: { ...spec, restartPolicy: 'Never' } };
  const metadata = { name: 'job', namespace };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: { backoffLimit: 0, template } };
}

const asker = (home: string): string => `load-${home}-${process.pid}`;

/** Runs a namespace's pods of `home` everywhere, a Job on `away`, and a pod at home that asks. */
async function startWork(home: string, away: string, namespace: string): Promise<void> {
  const web = evenDeployment(namespace, 'web', 2 * clusters.length, podSpec(WORD, GREETS));
  const work = [service(namespace, 'web'), web, statefulSet(namespace, 2), job(namespace, `headcut-${away}`)];
  await apply(home, ...given(namespace), ...work, pod(namespace, asker(home), podSpec(on(home))));
  await eventually(async () => {
    const pods = await list<Pod>(home, ['-n', namespace, 'pods']);
    expect(pods.filter(isReady)).toHaveLength(2 * clusters.length + 4);
  }, READY_WITHIN_MS);
}

/** UID, restarts and containers of all pods of a namespace, at home and on its providers. */
async function touched(home: string, namespace: string): Promise<string[]> {
  const away = await Promise.all(clusters.filter((one) => one !== home).map((one) => twins(one, namespace)));
  return [await list<Pod>(home, ['-n', namespace, 'pods']), ...away]
    .flat()
    .map(({ metadata, status }) => {
      const containers = (status?.containerStatuses ?? []) as { containerID?: string; restartCount?: number }[];
      return `${metadata.name} ${metadata.uid} ${containers.map((one) => `${one.restartCount} ${one.containerID}`)}`;
    })
    .sort();
}

async function podOf(home: string, namespace: string, node: string): Promise<string> {
  const pods = await list<Pod>(home, ['-n', namespace, 'pods', '-l', 'app=web']);
  return pods.find(({ spec }) => spec.nodeName === node)?.metadata.name ?? '';
}

/** What a user does with pods of `home` that run on `away`: with one that was there, and with a new one. */
async function worksBetween(home: string, away: string, namespace: string): Promise<void> {
  const known = await podOf(home, namespace, `headcut-${away}`);
  const late = `late-${away}`;
  await apply(home, pod(namespace, late, podSpec({ ...WORD, ...on(`headcut-${away}`) }, GREETS)));
  await eventually(
    async () => expect(isReady(await get<Pod>(home, ['-n', namespace, 'pod', late]))).toBe(true),
    READY_WITHIN_MS,
  );
  for (const name of [known, late]) {
    expect(await kubectl(home, ['-n', namespace, 'logs', name])).toMatch(/^hello world\n/);
    expect(await kubectl(home, ['-n', namespace, 'exec', name, '--', 'cat', '/word/word'])).toBe('world');
  }
  await kubectl(home, ['-n', namespace, 'delete', 'pod', late, '--timeout=60s']);
}

/** Member → build that it has now. */
type Builds = Record<string, 'older' | 'present'>;

/** Every member sees every other one, and knows its version and its minor of the wire. */
async function seeEachOther(builds: Builds): Promise<void> {
  await eventually(async () => {
    for (const cluster of clusters) {
      const others = clusters.filter((one) => one !== cluster);
      await seesReady(cluster, ...others);
      for (const other of others) {
        const { spec, status } = await peerOf(cluster, other);
        const [protocol, version] =
          builds[other] === 'older' ? [OLDER_PROTOCOL, OLDER_VERSION] : [PROTOCOL_VERSION, VERSION];
        const shown = OLDER_SHOWS_VERSIONS || builds[cluster] === 'present' ? version : undefined;
        expect([spec.protocol, status?.version, status?.state], `${other} as ${cluster} sees it`).toEqual([
          protocol,
          shown,
          'Connected',
        ]);
      }
    }
  }, READY_WITHIN_MS);
}

/** When each change began, in order. */
type Changes = { what: string; at: number }[];

/** Which changes had requests that failed, and how many; empty when none did. */
function failedIn(changes: Changes, client: SteadyClient): Record<string, number> {
  const after = (index: number): number => client.answersSince(changes[index]?.at ?? Number.POSITIVE_INFINITY).failed;
  const counts = changes.map(({ what }, index) => [`${index + 1}: ${what}`, after(index) - after(index + 1)] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

/** Upgrades one member, or sets it back. */
async function change(builds: Builds, cluster: string, build: 'older' | 'present'): Promise<void> {
  await install(build, cluster);
  builds[cluster] = build;
  await seeEachOther(builds);
  await sleep(SETTLES_IN_MS);
}

describe('two builds of different version and different minor of the wire', () => {
  const [home = '', away = '', ...rest] = clusters;
  const all = (build: 'older' | 'present'): Builds => Object.fromEntries(clusters.map((cluster) => [cluster, build]));

  beforeAll(async () => {
    await makeOlderBuild();
    await Promise.all(clusters.map((cluster) => install('older', cluster)));
  });

  afterAll(async () => {
    await Promise.all(clusters.map((cluster) => install('present', cluster)));
    await seeEachOther(all('present'));
    await removeOlderBuild();
  });

  test('members are upgraded one after the other under load, and one is set back: no pod is touched, no request fails, and meanwhile all works between them', {
    timeout: 1_200_000,
  }, async () => {
    const builds = all('older');
    await seeEachOther(builds);
    await using ours = await offloadedNamespace(home);
    await using theirs = await offloadedNamespace(away);
    await startWork(home, away, ours.name);
    await startWork(away, home, theirs.name);
    await using client = await startAsking({ cluster: home, namespace: ours.name, asker: asker(home) }, PATIENCE_MS);
    const pods = async () => [await touched(home, ours.name), await touched(away, theirs.name)];
    const before = await pods();
    // What ended a moment ago may still be listed; what was touched stays so.
    const untouched = () => eventually(async () => expect(await pods()).toEqual(before));
    const since = Date.now();
    const changes: Changes = [];
    const to = async (cluster: string, build: 'older' | 'present') => {
      changes.push({ what: `${cluster} to the ${build} build`, at: Date.now() });
      await change(builds, cluster, build);
    };

    await to(away, 'present');
    const status = async (cluster: string) => (await headcut(cluster, 'status')).stdout;
    if (OLDER_SHOWS_VERSIONS)
      expect(await status(home)).toMatch(new RegExp(`headcut ${OLDER_VERSION}\\n[^]*\\n${away} .* ${VERSION} `));
    expect(await status(away)).toMatch(new RegExp(`headcut ${VERSION}\\n[^]*\\n${home} .* ${OLDER_VERSION} `));
    expect((await headcut(away, 'doctor')).stdout).toContain(
      `${home} runs version ${OLDER_VERSION}, while this command is ${VERSION}`,
    );
    await worksBetween(home, away, ours.name);
    await worksBetween(away, home, theirs.name);
    await untouched();

    for (const cluster of [home, ...rest]) await to(cluster, 'present');
    expect((await headcut(home, 'doctor')).stdout).not.toContain(`version ${OLDER_VERSION}`);
    await untouched();

    await to(away, 'older');
    await worksBetween(home, away, ours.name);
    await worksBetween(away, home, theirs.name);
    await to(away, 'present');
    await untouched();

    await sleep(PATIENCE_MS);
    expect(client.answersSince(since).sent).toBeGreaterThan(1_000);
    expect(failedIn(changes, client)).toEqual({});
  });
});
