import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseLabCommand } from '../../src/lab/lab-command.ts';
import { raiseMachineLimits } from '../../src/lab/machine-limits.ts';
import { chooseSubnet, collides } from '../../src/lab/subnet.ts';
import { createTopology, findCluster } from '../../src/lab/topology.ts';

describe('the network of a lab', () => {
  test('depends on its name, so that two labs run side by side', () => {
    expect(chooseSubnet('lab', [])).toBe(chooseSubnet('lab', []));
    expect(chooseSubnet('lab', [])).not.toBe(chooseSubnet('test', []));
  });

  test('keeps clear of the routes of the machine', () => {
    const wanted = chooseSubnet('lab', []);
    expect(chooseSubnet('lab', [`${wanted}.0/24`])).not.toBe(wanted);
    expect(() => chooseSubnet('lab', ['10.0.0.0/8'])).toThrow('collides');
  });

  test.each([
    ['10.200.7', '10.200.7.128/25', true],
    ['10.200.7', '10.200.0.0/16', true],
    ['10.200.7', '10.200.8.0/24', false],
    ['10.200.7', '0.0.0.0/0', false],
    ['10.200.7', '10.200.7.5', true],
  ])('%s.0/24 and %s: collision %s', (prefix, route, expected) => {
    expect(collides(prefix, [route])).toBe(expected);
  });
});

describe('the topology of a lab', () => {
  const topology = (name: string, clusterCount = 3) =>
    createTopology({ name, folder: '/x', subnet: '10.200.7', clusterCount });

  test('names everything after the lab, with interface names that Linux takes', () => {
    const lab = topology('a-rather-long-name');
    expect(lab.hostLink.length).toBeLessThanOrEqual(15);
    expect(lab.clusters.map(({ name, address }) => `${name} ${address}`)).toEqual([
      'a 10.200.7.11',
      'b 10.200.7.12',
      'c 10.200.7.13',
    ]);
    const names = (of: ReturnType<typeof topology>) => [
      of.networkNamespace,
      of.hostLink,
      of.cgroup,
      ...of.clusters.map((one) => one.networkNamespace),
    ];
    expect(names(lab).filter((name) => names(topology('test')).includes(name))).toEqual([]);
  });

  test('puts clusters behind routers, in networks that no two labs or clusters share', () => {
    const lab = createTopology({ name: 'lab', folder: '/x', subnet: '10.200.7', clusterCount: 4, nat: ['b', 'd'] });
    expect(lab.clusters.map(({ address, nat }) => [address, nat?.outerAddress, nat?.innerNetwork])).toEqual([
      ['10.200.7.11', undefined, undefined],
      ['172.24.7.10', '10.200.7.12', '172.24.7.8/29'],
      ['10.200.7.13', undefined, undefined],
      ['172.24.7.26', '10.200.7.14', '172.24.7.24/29'],
    ]);
  });

  test.each([0, 17, 1.5])('refuses %s clusters', (count) => {
    expect(() => topology('lab', count)).toThrow('1 to 16');
  });

  test.each(['', 'A', '-x', 'x/y', 'x'.repeat(21)])('refuses the name "%s"', (name) => {
    expect(() => topology(name)).toThrow('no lab name');
  });

  test('says which clusters there are when one is not', () => {
    expect(() => findCluster(topology('lab'), 'z')).toThrow('it has: a, b, c');
  });
});

describe('the limits of the machine', () => {
  test('are raised when they are too small for several labs, and left when they are not', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'limits-'));
    const file = join(folder.path, 'max_user_instances');
    const said: string[] = [];
    const progress = { say: (line: string) => void said.push(line), elapsedMs: () => 0 };
    writeFileSync(file, '128\n');
    raiseMachineLimits(progress, file);
    raiseMachineLimits(progress, file);
    expect(readFileSync(file, 'utf8')).toBe('1024\n');
    expect(said).toEqual(['raised fs.inotify.max_user_instances of this machine to 1024']);
    writeFileSync(file, '8192\n');
    raiseMachineLimits(progress, file);
    expect(readFileSync(file, 'utf8')).toBe('8192\n');
  });
});

describe('the lab command', () => {
  test('brings up a joined lab named lab by default', () => {
    expect(parseLabCommand(['up'])).toEqual({
      verb: 'up',
      name: 'lab',
      clusterCount: undefined,
      provider: undefined,
      nat: undefined,
      cni: undefined,
      kubeProxy: undefined,
      federation: true,
    });
  });

  test('takes the clusters behind routers', () => {
    expect(parseLabCommand(['up', '--nat', 'c,d'])).toMatchObject({ nat: ['c', 'd'] });
  });

  test('takes what pods and Services are connected by', () => {
    const words = ['up', '--cni', 'flannel', '--kube-proxy', 'nftables'];
    expect(parseLabCommand(words)).toMatchObject({ cni: 'flannel', kubeProxy: 'nftables' });
  });

  test('starts a fault, ends it by the same words, or ends all', () => {
    const fault = { kind: 'cut', cluster: 'b', other: 'e', oneWay: false };
    expect(parseLabCommand(['fault', 'cut', 'b', 'e'])).toEqual({ verb: 'fault', name: 'lab', fault });
    expect(parseLabCommand(['fault', 'end', 'cut', 'b', 'e'])).toEqual({ verb: 'end-fault', name: 'lab', fault });
    expect(parseLabCommand(['fault', 'end'])).toEqual({ verb: 'end-all-faults', name: 'lab' });
  });

  test.each([
    [['up', '--clusters', '17'], '1 to 16'],
    [['up', '--clusters', '2x'], '1 to 16'],
    [['up', 'x'], 'takes no "x"'],
    [['up', '--cni', 'calico'], '--cni takes bridge, flannel, kube-router, not "calico"'],
    [['up', '--kube-proxy', 'ipvs'], '--kube-proxy takes iptables, nftables, not "ipvs"'],
    [['logs'], 'needs the name of a cluster'],
    [['fly'], 'no command "fly"'],
    [['up', '--fast'], '--fast'],
  ])('refuses %j and says why', (argv, message) => {
    expect(() => parseLabCommand(argv)).toThrow(message);
  });
});
