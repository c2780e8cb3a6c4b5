import { expect, test } from 'vitest';
import type { Pod } from '../../src/core/kube-objects.ts';
import { ban, unban } from '../../src/ops/ban.ts';
import { apply, eventually, get, IMAGE, kubectl, offloadedNamespace, pod, podSpec, readyPods, twins } from './lab.ts';
import { connect, joinAgain, peerOf, seesReady } from './members.ts';

/** What pods of a member have, and do not have, on another one. */

const ON_B = { nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } };
const container = (fields: object): object => ({
  terminationGracePeriodSeconds: 1,
  containers: [{ name: 'demo', image: IMAGE, imagePullPolicy: 'IfNotPresent', ...fields }],
});

test('a pod that asks for nothing is bounded on its provider, and shows at home what its owner gave it', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  const paths = ["metadata.labels['app.kubernetes.io/managed-by']", 'status.hostIP', 'spec.nodeName'];
  const env = paths.map((fieldPath, i) => ({ name: `V${i}`, valueFrom: { fieldRef: { fieldPath } } }));
  const made = pod(name, 'plain', { ...ON_B, ...container({ env }) }) as Pod;
  const labels = { ...made.metadata.labels, 'app.kubernetes.io/managed-by': 'Helm' };
  await apply('a', {
    ...made,
    metadata: { ...made.metadata, labels, annotations: { 'k8s.v1.cni.cncf.io/networks': 'x' } },
  });
  await eventually(async () => expect(await kubectl('a', ['-n', name, 'exec', 'plain', '--', 'true'])).toBe(''));
  const [real] = await twins('b', name);
  const [there] = real?.spec.containers ?? [];
  expect(there?.resources?.limits).toMatchObject({ cpu: '1', memory: '256Mi' });
  expect(there?.securityContext).toMatchObject({ capabilities: { drop: ['NET_RAW'] } });
  expect(real?.metadata.annotations).not.toHaveProperty(['k8s.v1.cni.cncf.io/networks']);
  const home = await get<Pod>('a', ['-n', name, 'pod', 'plain']);
  expect(home.status).toMatchObject({ qosClass: 'BestEffort' });
  expect(home.status?.containerStatuses?.map(({ resources = {} }) => resources)).toEqual([{}]);
  const said = await kubectl('a', ['-n', name, 'exec', 'plain', '--', 'sh', '-c', 'echo "$V0 $V1 $V2"']);
  expect(said.trim()).toBe(`Helm ${home.status?.hostIP} headcut-b`);
});

test('replicas that baseline forbids, for the pod as a whole or in a probe, all run at home', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  const probe = { httpGet: { host: '127.0.0.1', port: 10_248, path: '/healthz' }, initialDelaySeconds: 600 };
  const deployment = (app: string, spec: object): object => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app, namespace: name },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app } },
      template: { metadata: { labels: { app } }, spec },
    },
  });
  await apply(
    'a',
    deployment('unconfined', { ...podSpec(), securityContext: { seccompProfile: { type: 'Unconfined' } } }),
    deployment('probe', container({ livenessProbe: probe })),
  );
  const pods = await readyPods('a', name, 6);
  expect(pods.map(({ spec }) => spec.nodeName)).toEqual(Array(6).fill('a'));
});

test('pods of a member that was banned end within a minute, whatever they ask for', async () => {
  const [provider, consumer] = await Promise.all([connect('b'), connect('a')]);
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  const stays = { command: ['sh', '-c', 'trap : TERM; while :; do sleep 1; done'] };
  const hangs = { ...stays, lifecycle: { preStop: { exec: { command: ['sleep', '100000'] } } } };
  const long = { ...ON_B, terminationGracePeriodSeconds: 315_360_000 };
  try {
    for (const [one, fields] of Object.entries({ plain: stays, hook: hangs, going: stays }))
      await apply('a', pod(name, one, { ...container(fields), ...long }));
    await readyPods('a', name, 3);
    await kubectl('a', ['-n', name, 'delete', 'pod', 'going', '--wait=false']);
    await eventually(async () => {
      const going = (await twins('b', name)).find(({ metadata }) => metadata.name === 'going');
      expect(going?.metadata.deletionGracePeriodSeconds).toBe(120);
    });
    await ban(provider, 'a', { dryRun: false });
    await eventually(async () => expect(await twins('b', name)).toEqual([]), 60_000);
  } finally {
    const { spec } = await peerOf('c', 'a');
    await unban(provider, spec.id, { dryRun: false });
    await kubectl('a', ['delete', 'namespace', name, '--wait=false']);
    await eventually(() => joinAgain(provider, consumer), 60_000);
    await eventually(() => seesReady('b', 'a', 'c'), 60_000);
    await Promise.all([provider.close(), consumer.close()]);
  }
});
