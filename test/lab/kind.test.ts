import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseFault } from '../../src/lab/faults/fault.ts';
import { startFault } from '../../src/lab/faults/run-fault.ts';
import type { RunCommand } from '../../src/lab/providers/kind/container-engine.ts';
import { kindConfiguration, renamedKubeconfig } from '../../src/lab/providers/kind/kind-configuration.ts';
import { createKindProvider } from '../../src/lab/providers/kind/kind-provider.ts';
import { nextSteps } from '../../src/lab/run-lab.ts';
import { createTopology } from '../../src/lab/topology.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { runCommand } from '../../src/runtime/command.ts';

const topology = createTopology({ name: 'x', folder: '/nonexistent/x', subnet: '10.200.7', clusterCount: 2 });
const [cluster] = topology.clusters as [(typeof topology.clusters)[number]];

/** A machine on which these command lines, and those that begin with them, print something; all others are not there. */
function machine(answers: Record<string, string | { stderr: string }>) {
  const ran: string[] = [];
  const run: RunCommand = async (argv, options) => {
    const line = argv.join(' ');
    ran.push(line);
    const known = Object.keys(answers).find((start) => line.startsWith(start));
    if (known === undefined) return runCommand(['/nonexistent/program'], options);
    const answer = answers[known] ?? '';
    if (typeof answer === 'string') return { exitCode: 0, stdout: answer, stderr: '' };
    return { exitCode: 1, stdout: '', stderr: answer.stderr };
  };
  return { ran, run };
}

const provider = (run: RunCommand, engine?: string) =>
  createKindProvider({ run, kind: 'kind', engine, clock: systemClock });

describe('a lab of kind', () => {
  test('says what to install where there is no kind', async () => {
    await expect(provider(machine({}).run).checkMachine()).rejects.toThrow(
      /need the program kind: install it \(go install sigs\.k8s\.io\/kind@v[\d.]+\) .*HEADCUT_KIND=.*not on the PATH/,
    );
  });

  test('says what to install where no engine answers, and what those that are there say', async () => {
    const { run } = machine({ 'kind version': 'kind', 'docker info': { stderr: 'Cannot connect to the daemon' } });
    await expect(provider(run).checkMachine()).rejects.toThrow(
      /install Docker, Podman or nerdctl, or start what is there; .*docker: Cannot connect to the daemon; podman: not on the PATH; nerdctl: not on the PATH/,
    );
  });

  test('uses the first engine that answers, or the one that the user names, and kind the same', async () => {
    const engines = { 'podman info': '', 'nerdctl info': '', 'env KIND_EXPERIMENTAL_PROVIDER': '' };
    const some = machine(engines);
    await provider(some.run).destroy(cluster);
    expect(some.ran.at(-1)).toBe('env KIND_EXPERIMENTAL_PROVIDER=podman kind get clusters');
    const named = machine(engines);
    await provider(named.run, 'nerdctl').destroy(cluster);
    expect(named.ran).toEqual(['nerdctl info', 'env KIND_EXPERIMENTAL_PROVIDER=nerdctl kind get clusters']);
  });

  test('switches a cluster off and on as a machine, and looks into it', async () => {
    const node = 'headcut-x-a-control-plane';
    const processes = '    1  1000 /sbin/init\n  70 20480 /usr/bin/kubelet --config x\n 80 10240 kube-apiserver --x\n';
    const { ran, run } = machine({
      'docker info': '',
      'docker inspect --format {{.State.Running}}': 'true\n',
      [`docker exec ${node} ps`]: processes,
      [`docker stop ${node}`]: '',
    });
    const kind = provider(run);
    await kind.stop(cluster);
    expect(ran.at(-1)).toBe(`docker stop ${node}`);
    const { components, ready } = await kind.status(cluster);
    expect(ready).toBe(false);
    expect(components.filter(({ running }) => running)).toEqual([
      { name: 'kubelet', running: true, pid: 70, residentBytes: 20480 * 1024 },
      { name: 'kube-apiserver', running: true, pid: 80, residentBytes: 10240 * 1024 },
    ]);
    const follow = await kind.logCommand(cluster, 'kubelet', true);
    expect(follow.join(' ')).toBe(`docker exec ${node} journalctl --no-pager --follow --unit kubelet`);
    const log = await kind.logCommand(cluster, 'etcd', false);
    expect(log.slice(0, 3)).toEqual(['docker', 'exec', node]);
    expect(log.at(-1)).toBe('cat /var/log/pods/kube-system_etcd-*/*/*.log');
    const shell = await kind.inNamespaces(cluster, ['bash']);
    expect(shell.slice(-2)).toEqual([node, 'bash']);
  });

  test('has clusters of one node, under names of the lab', () => {
    expect(topology.clusters.map((one) => parse(kindConfiguration(one)))).toEqual(
      ['headcut-x-a', 'headcut-x-b'].map((name) => ({
        kind: 'Cluster',
        apiVersion: 'kind.x-k8s.io/v1alpha4',
        name,
        nodes: [{ role: 'control-plane' }],
      })),
    );
    expect(() => renamedKubeconfig('apiVersion: v1', 'a')).toThrow('no context');
  });

  test('is shown how to be tried out, which a lab without containers is only in part', () => {
    const lab = { topology, provider: provider(machine({}).run) };
    expect(nextSteps(lab, true)).toContain('exec deploy/demo');
    const simulated = { ...lab.provider, runsContainers: false };
    const without = nextSteps({ topology, provider: simulated as typeof lab.provider }, true);
    expect(without).not.toContain('exec');
    expect(without).toContain('kubectl --context a -n demo get pods');
    expect(nextSteps(lab, false)).not.toContain('demo');
  });

  test('has no faults, and says so instead of making half of one', async () => {
    const lab = {
      topology,
      provider: provider(machine({}).run),
      clock: systemClock,
      signal: new AbortController().signal,
    };
    const cut = parseFault(['cut', 'a', 'b'], false);
    await expect(startFault(lab, cut)).rejects.toThrow('a lab of kind has no faults');
  });
});

test.each([
  ['up --provider kind', 'kind'],
  ['up --name x --provider=kind --clusters 2', 'kind'],
  ['shell --name no-such-lab a -- ls --provider kind', ''],
  ['up --name no-such-lab', ''],
])('scripts/lab %s is for the provider "%s"', async (words, expected) => {
  const script = '. scripts/lib.sh; lab_setting provider "$@"';
  const { stdout } = await runCommand(['bash', '-c', script, 'lab', ...words.split(' ')], {
    cwd: join(import.meta.dirname, '..', '..'),
  });
  expect(stdout).toBe(expected);
});
