import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { readLabState } from '../../src/lab/lab-state.ts';
import { k0sDataFolder } from '../../src/lab/providers/k0s/k0s-configuration.ts';
import { contexts, headcut, rejoin, run, tracesIn } from './installing.ts';
import { eventually, get, kubectl, list } from './lab.ts';
import { labFolder } from './reach-lab.ts';
import { thisLab } from './this-lab.ts';

/** k0s itself installs headcut, from its manifests folder. */

const isK0s = readLabState(labFolder)?.provider === 'k0s';
const title = 'k0s installs headcut from its manifests folder, changes it with what lies there, and removes it';
/** k0s looks every few seconds, and tries again what could not be applied yet. */
const APPLIED_WITHIN_MS = 120_000;
/** Longer than k0s waits between two looks. */
const LOOKS_AGAIN_MS = 20_000;

/** What --csr-approver adds. */
const approvers = async (member: string): Promise<string[]> =>
  (await list<KubeObject>(member, ['clusterroles']))
    .map(({ metadata }) => metadata.name)
    .filter((name) => name === 'headcut-csr-approver');
const agents = async (member: string): Promise<(string | undefined)[]> =>
  (await list<KubeObject>(member, ['-n', 'headcut-system', 'pods', '-l', 'app.kubernetes.io/name=headcut'])).map(
    ({ metadata }) => metadata.uid,
  );

test.skipIf(!isK0s)(isK0s ? title : `${title} (only in a lab of k0s)`, { timeout: 600_000 }, async () => {
  const clusters = await contexts();
  const member = clusters.at(-1) ?? '';
  const others = clusters.slice(0, -1);
  const cluster = thisLab(0).topology.clusters.find(({ name }) => name === member);
  if (cluster === undefined) throw new Error(`no cluster ${member}`);
  const stack = ['--k0s', '--data-dir', k0sDataFolder(cluster)];
  await run(headcut(member, 'uninstall'));
  expect(await tracesIn(member)).toEqual([]);

  const installK0s = (...more: string[]): Promise<string> => run(headcut(member, 'install', ...stack, ...more));
  expect(await installK0s('--csr-approver')).toContain('k0s installs headcut from it now');
  await eventually(async () => {
    const agent = await get<KubeObject>(member, ['-n', 'headcut-system', 'deployment', 'headcut']);
    expect(agent.metadata.labels).toHaveProperty('k0s.k0sproject.io/stack', 'headcut');
    expect(await approvers(member)).toHaveLength(1);
  }, APPLIED_WITHIN_MS);
  await kubectl(member, ['-n', 'headcut-system', 'rollout', 'status', 'deployment/headcut', '--timeout=120s']);
  await rejoin(member, others);

  // What lies there no longer is removed, and the rest goes on.
  const before = await agents(member);
  await installK0s();
  await eventually(async () => expect(await approvers(member)).toEqual([]), APPLIED_WITHIN_MS);
  expect(await agents(member)).toEqual(before);

  await expect(run(headcut(member, 'uninstall'))).rejects.toThrow('run headcut uninstall --k0s on the machine of k0s');
  await run(headcut(member, 'uninstall', ...stack));
  expect(await tracesIn(member)).toEqual([]);
  await sleep(LOOKS_AGAIN_MS);
  expect(await tracesIn(member)).toEqual([]);

  await run(headcut(member, 'install', '--csr-approver'));
  await rejoin(member, others);
});
