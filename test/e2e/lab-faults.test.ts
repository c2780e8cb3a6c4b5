import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import { fault } from './faults.ts';
import { headcut } from './headcut-command.ts';
import {
  apply,
  eventually,
  fingerprints,
  get,
  inNetworkOf,
  isReady,
  kubectl,
  labName,
  list,
  offloadedNamespace,
  pod,
  podSpec,
  readyPods,
  twins,
} from './lab.ts';

/** The faults themselves: that each hits what it says and nothing else, and is over afterwards. */

const run = promisify(execFile);

/** So many, and so large even when they are compressed, that they take more room than a database has in its own files. */
const FILLERS = 50;
const FILLER = { text: randomBytes(600_000).toString('base64') };
const GET_NODES_AT_ONCE = ['get', 'nodes', '--request-timeout=2s'];

const addressOf = async (cluster: string): Promise<string> =>
  (await get<Node>(cluster, ['node', cluster])).status?.addresses?.find((one) => one.type === 'InternalIP')?.address ??
  '';

async function pings(from: string, to: string, count = 1): Promise<number> {
  const address = await addressOf(to);
  const argv = ['sh', '-c', `ping -q -c ${count} -i 0.02 -W 1 ${address} || true`];
  return Number(/(\d+) received/.exec(await inNetworkOf(from, argv))?.[1] ?? 0);
}

/** Whether a datagram arrives. */
async function udpArrives(from: string, to: string): Promise<boolean> {
  const address = await addressOf(to);
  const heard = inNetworkOf(to, ['timeout', '1', 'socat', '-u', 'UDP4-RECV:9999', 'STDOUT']).catch(
    (error: { stdout?: string }) => error.stdout ?? '',
  );
  await sleep(200);
  await inNetworkOf(from, ['sh', '-c', `echo here | socat -u STDIN UDP4-SENDTO:${address}:9999`]);
  return (await heard).includes('here');
}

async function agentUid(cluster: string): Promise<string> {
  const pods = await list<Pod>(cluster, ['-n', 'headcut-system', 'pods', '-l', 'app.kubernetes.io/name=headcut']);
  return pods[0]?.status?.containerStatuses?.find((one) => one.name === 'headcut')?.containerID ?? '';
}

describe('a fault of the network', () => {
  test('cuts two clusters apart, and neither from others or this machine', async () => {
    await using cut = await fault('cut a b');
    expect(await pings('a', 'b')).toBe(0);
    expect(await pings('a', 'c')).toBe(1);
    await kubectl('b', ['get', 'nodes']);
    await cut.end();
    expect(await pings('a', 'b')).toBe(1);
  });

  test('cuts a cluster off from all others', async () => {
    await using _ = await fault('cut b');
    expect(await pings('b', 'c')).toBe(0);
    expect(await pings('a', 'c')).toBe(1);
  });

  test('lets UDP not pass, and the rest', async () => {
    expect(await udpArrives('a', 'b')).toBe(true);
    await using _ = await fault('block-udp a b');
    expect(await udpArrives('a', 'b')).toBe(false);
    expect(await pings('a', 'b')).toBe(1);
  });

  test('hits one way only, when that is asked for', async () => {
    await using _ = await fault('block-udp a b --one-way');
    expect(await udpArrives('a', 'b')).toBe(false);
    expect(await udpArrives('b', 'a')).toBe(true);
  });

  test('loses a share of packets', async () => {
    await using _ = await fault('lose 50 a b --one-way');
    const received = await pings('a', 'b', 100);
    expect(received).toBeGreaterThan(20);
    expect(received).toBeLessThan(80);
  });
});

describe('a fault of processes', () => {
  test('kills the agent, which its kubelet starts again', async () => {
    const before = await agentUid('b');
    await using _ = await fault('kill b agent');
    await eventually(async () => expect(await agentUid('b')).not.toBe(before));
  });

  test('freezes an API server, and lets it go on where it stood', async () => {
    await using frozen = await fault('freeze b kube-apiserver');
    await expect(kubectl('b', GET_NODES_AT_ONCE)).rejects.toThrow();
    await frozen.end();
    await eventually(async () => void (await kubectl('b', GET_NODES_AT_ONCE)));
  });

  test('freezes a whole cluster with its containers', async () => {
    await using frozen = await fault('freeze c');
    await expect(kubectl('c', GET_NODES_AT_ONCE)).rejects.toThrow();
    await frozen.end();
    await eventually(async () => expect(isReady(await get<Node>('c', ['node', 'c']))).toBe(true));
  });

  test('takes the power away, and gives it back with all data', async () => {
    const before = await get<Node>('c', ['node', 'c']);
    await using power = await fault('power c');
    const { stdout } = await run('ip', ['netns', 'pids', `headcut-${labName()}-c`]);
    expect(stdout.trim()).toBe('');
    await power.end();
    const after = await get<Node>('c', ['node', 'c']);
    expect(isReady(after)).toBe(true);
    expect(after.metadata.uid).toBe(before.metadata.uid);
  });
});

/** A pod of `a` on `b`, and what tells whether it was touched. */
async function podOnB(namespace: string): Promise<() => Promise<string[]>> {
  await apply('a', pod(namespace, 'p', podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } })));
  await readyPods('a', namespace, 1);
  return async () => fingerprints([...(await readyPods('a', namespace, 1)), ...(await twins('b', namespace))]);
}

describe('a fault of what a cluster stands on', () => {
  test('a full disk keeps its API server from storing, not from answering; what runs there goes on', async () => {
    await using namespace = await offloadedNamespace('a');
    const look = await podOnB(namespace.name);
    const before = await look();
    const room = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `filled-${process.pid}` } };
    await apply('b', room);
    await using stack = new AsyncDisposableStack();
    stack.defer(async () => void (await kubectl('b', ['delete', 'namespace', room.metadata.name, '--wait=false'])));
    const store = (name: string) => {
      const metadata = { name, namespace: room.metadata.name };
      const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: FILLER };
      return kubectl('b', ['create', '-f', '-'], JSON.stringify(map));
    };
    await using full = await fault('fill-disk b');
    // kine may say that it stored what it did not: what counts is what can be read.
    const filling = async () => {
      for (let count = 0; count < FILLERS; count++) {
        await store(`filler-${count}`);
        await kubectl('b', ['-n', room.metadata.name, 'get', 'configmap', `filler-${count}`, '-o', 'name']);
      }
    };
    await expect(filling()).rejects.toThrow(/disk is full|NotFound/);
    await kubectl('b', GET_NODES_AT_ONCE);
    expect(await look()).toEqual(before);
    await full.end();
    await eventually(async () => void (await store('after')));
    await eventually(async () => expect(isReady(await get<Node>('a', ['node', 'headcut-b']))).toBe(true));
    expect(await look()).toEqual(before);
  });

  test.each(['ahead', 'behind'])(
    'the clock of an agent jumps %s: its peers say so, and nothing else happens',
    async (direction) => {
      await using namespace = await offloadedNamespace('a');
      const look = await podOnB(namespace.name);
      const before = await look();
      const doctor = async () => (await headcut('a', 'doctor', '--peer', 'b')).stdout;
      await using jumped = await fault(`clock ${direction} 1h b`);
      await eventually(async () =>
        expect(await doctor()).toMatch(new RegExp(`clock of b is (1h|60m|59m).* ${direction}`)),
      );
      expect(isReady(await get<Node>('a', ['node', 'headcut-b']))).toBe(true);
      expect(await kubectl('a', ['-n', namespace.name, 'exec', 'p', '--', 'echo', 'there'])).toBe('there\n');
      await jumped.end();
      await eventually(async () => expect(await doctor()).toContain('the clock of b agrees'));
      expect(await look()).toEqual(before);
    },
  );
});
