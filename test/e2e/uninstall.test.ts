import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import { contexts, headcut, rejoin, run, tracesIn } from './installing.ts';
import {
  apply,
  cutOff,
  deployment,
  eventually,
  inNetworkOf,
  isReady,
  list,
  offloadedNamespace,
  readyPods,
  twins,
} from './lab.ts';
import { peerNames } from './members.ts';
import { followRunLogs, longestOverlap } from './run-log.ts';
import { singleton } from './singleton.ts';

test('a member that no peer reaches is rid of headcut within 30 s, its pods go home, and it can be installed and joined again', async () => {
  const clusters = await contexts();
  const member = clusters.at(-1) ?? '';
  const others = clusters.slice(0, -1);
  await using own = await offloadedNamespace(member);
  await using foreign = await offloadedNamespace(others[0] ?? '');
  await apply(member, deployment(own.name, 'web', 4));
  await apply(others[0] ?? '', deployment(foreign.name, 'web', 4));
  const pods = await readyPods(member, own.name, 4);
  expect(pods.filter(({ spec }) => spec.nodeName !== member)).not.toEqual([]);
  await readyPods(others[0] ?? '', foreign.name, 4);
  expect(await twins(member, foreign.name)).not.toEqual([]);
  await using one = await offloadedNamespace(member);
  await using logs = followRunLogs(one.name);
  await apply(member, singleton(one.name, '30s', others[0] ?? ''));
  await readyPods(member, one.name, 1);
  await eventually(async () => expect(await logs.intervals()).toHaveLength(1));

  {
    await using _cut = await cutOff(member);
    const start = performance.now();
    await inNetworkOf(member, headcut(member, 'uninstall'));
    const tookMs = performance.now() - start;
    expect(await tracesIn(member)).toEqual([]);
    expect(tookMs).toBeLessThan(30_000);
  }

  await eventually(async () => {
    const home = await list<Pod>(member, ['-n', own.name, 'pods']);
    expect(home.filter((pod) => isReady(pod) && pod.spec.nodeName === member)).toHaveLength(4);
  }, 60_000);
  // Of that one there must not be two: its provider stops it first.
  await eventually(async () => {
    const ready = (await list<Pod>(member, ['-n', one.name, 'pods'])).filter(isReady);
    expect(ready.map(({ spec }) => spec.nodeName)).toEqual([member]);
  }, 120_000);
  // A pod is ready a moment before its log is found.
  let intervals = await logs.intervals();
  await eventually(async () => {
    intervals = await logs.intervals();
    expect(new Set(intervals.map(({ container }) => container)).size).toBe(2);
  });
  expect(longestOverlap(intervals).between).toEqual([]);
  // Without anything to remove it is as harmless.
  expect(await run(headcut(member, 'uninstall'))).toContain('Removed');

  expect(await run(headcut(member, 'install', '--csr-approver'))).toContain('this member listens on');
  await rejoin(member, others);
});

test('a member that is uninstalled while its peers live says good-bye: they drop it at once, and their pods go elsewhere', async () => {
  const clusters = await contexts();
  const member = clusters.at(-1) ?? '';
  const others = clusters.slice(0, -1);
  const home = others[0] ?? '';
  await using foreign = await offloadedNamespace(home);
  await apply(home, deployment(foreign.name, 'web', 4));
  await readyPods(home, foreign.name, 4);
  expect(await twins(member, foreign.name)).not.toEqual([]);

  const start = performance.now();
  await run(headcut(member, 'uninstall'));
  expect(performance.now() - start).toBeLessThan(30_000);
  for (const other of others) expect(await peerNames(other)).not.toContain(member);
  expect(await tracesIn(member)).toEqual([]);
  for (const other of others)
    await eventually(async () => {
      const nodes = await list<Node>(other, ['nodes', '-l', 'headcut.dev/peer']);
      expect(nodes.map(({ metadata }) => metadata.name)).not.toContain(`headcut-${member}`);
    });
  await eventually(async () => {
    const pods = await list<Pod>(home, ['-n', foreign.name, 'pods']);
    expect(pods.filter(isReady)).toHaveLength(4);
  }, 60_000);

  await run(headcut(member, 'install', '--csr-approver'));
  await rejoin(member, others);
});

test('what a killed uninstall left behind is removed by the next one', async () => {
  const clusters = await contexts();
  const member = clusters.at(-1) ?? '';
  await killedWhenItSays('removing the pod network', headcut(member, 'uninstall'));
  expect(await tracesIn(member)).not.toEqual([]);
  await run(headcut(member, 'uninstall'));
  expect(await tracesIn(member)).toEqual([]);
  await run(headcut(member, 'install', '--csr-approver'));
  await rejoin(member, clusters.slice(0, -1));
});

async function killedWhenItSays(text: string, [program = '', ...args]: string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  for await (const line of createInterface(child.stderr)) if (line.includes(text)) child.kill('SIGKILL');
}
