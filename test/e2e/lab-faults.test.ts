import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import { fault } from './faults.ts';
import { eventually, get, inNetworkOf, isReady, kubectl, labName, list } from './lab.ts';

/** The faults themselves: that each hits what it says and nothing else, and is over afterwards. */

const run = promisify(execFile);

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
