import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Pod } from '../../src/core/kube-objects.ts';
import { FixedCluster, OBJECTS } from './cluster-fixture.ts';
import { run } from './run.ts';

/** What people see, letter by letter: test/cli/__snapshots__. A change of a snapshot is a change of the interface. */

const look = async (...argv: string[]) => {
  const { code, out, error } = await run(argv, new FixedCluster().client);
  expect([code, error]).toEqual([0, '']);
  return out;
};

test.each([
  ['status'],
  ['status -o wide'],
  ['status -o json'],
  ['peers -o name'],
  ['peer b'],
  ['peer c'],
  ['pods -A'],
  ['pods -n demo -o wide'],
  ['explain pod web-2 -n demo'],
  ['explain pod web-3 -n demo'],
  ['explain pod big -n demo'],
  ['explain pod refused -n demo'],
  ['explain pod web-1 -n demo'],
  ['explain namespace demo'],
  ['explain namespace default'],
  ['explain namespace batch-92a0c62f'],
  ['explain peer b'],
  ['explain peer c'],
  ['services'],
  ['services -n demo'],
  ['explain service web -n shop'],
  ['explain service db -n shop'],
  ['explain service old -n shop'],
  ['explain service other -n shop'],
  ['what-if b dies'],
  ['what-if c dies'],
  ['help'],
  ['help explain'],
])('headcut %s', async (line) => {
  expect(`\n${await look(...line.split(' '))}`).toMatchSnapshot();
});

test('explain does not advise more room to a pod that lacks something else', async () => {
  const pods = structuredClone(OBJECTS.pods ?? []) as Pod[];
  const big = pods.find(({ metadata }) => metadata.name === 'big');
  if (big === undefined) throw new Error('the fixture changed');
  big.spec.containers = [];
  big.spec.nodeSelector = { 'kubernetes.io/hostname': 'headcut-b', disk: 'fast' };
  const advice = async () => {
    const { out } = await run(['explain', 'pod', 'big', '-n', 'demo'], new FixedCluster({ ...OBJECTS, pods }).client);
    return out.split('What to do:')[1];
  };
  expect(await advice()).toContain('Change what the verdicts name');
  delete big.spec.tolerations;
  expect(await advice()).toContain('Let it run at home');
});

describe('every form of a result', () => {
  test('yaml and json say the same', async () => {
    expect(parse(await look('status', '-o', 'yaml'))).toEqual(JSON.parse(await look('status', '-o', 'json')));
  });

  test('a cluster without headcut is told what to do', async () => {
    const { code, error } = await run(['status'], new FixedCluster({ ...OBJECTS, federations: [] }).client);
    expect([code, error]).toEqual([1, expect.stringContaining('kubectl -n headcut-system get pods')]);
  });

  test('without peers it says how to get one', async () => {
    const { out } = await run(['status'], new FixedCluster({ ...OBJECTS, peers: [], pods: [] }).client);
    expect(out).toContain('headcut invite');
  });

  test.each([
    ['peer nobody', /no peer nobody/],
    ['explain pod nobody -n demo', /no pod nobody in namespace demo/],
    ['what-if nobody', /no peer nobody/],
    ['drain nobody', /no peer nobody/],
    ['offload nothing', /no namespace nothing/],
    ['offload batch-92a0c62f', /holds pods of a peer/],
  ])('headcut %s: exit code 1, and what is wrong on standard error', async (line, message) => {
    const { code, out, error } = await run(line.split(' '), new FixedCluster().client);
    expect([code, out]).toEqual([1, '']);
    expect(error).toMatch(message);
  });
});
