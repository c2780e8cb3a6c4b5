import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../src/core/kube-objects.ts';
import { apply, eventually, kubectl, list, offloadedNamespace, pod, podSpec, readyPods, restartAgents } from './lab.ts';
import { peerOf, seesReady, usesPod } from './members.ts';

/**
 * Members behind routers of their own, with outbound connections only. Wants a lab made for it, which few tests need:
 * `scripts/lab up --name NAME --nat b,c`, then HEADCUT_LAB=$PWD/.lab-NAME.
 */
const state = readFileSync(join(process.env.HEADCUT_LAB ?? '', 'lab.json'), 'utf8');
const { nat = [] } = JSON.parse(state) as { nat?: string[] };
const isWanted = ['b', 'c'].every((cluster) => nat.includes(cluster));
const title = 'two members with outbound connections only, and one that both reach';

const BYTES = 8 * 1024 * 1024;
const PORT = 9_000;
/** A route of packets is found after the members themselves have found each other. */
const FOUND_WITHIN_MS = 60_000;

async function allSeeEachOther(): Promise<void> {
  await seesReady('a', 'b', 'c');
  await seesReady('b', 'a', 'c');
  await seesReady('c', 'a', 'b');
}

/** A pod on each cluster, of a namespace of `a`; gives their addresses, by cluster. */
async function podsEverywhere(namespace: string): Promise<Record<string, string>> {
  const placed = { a: 'a', b: 'headcut-b', c: 'headcut-c' };
  const pods = Object.entries(placed).map(([cluster, node]) =>
    pod(namespace, cluster, podSpec({ nodeSelector: { 'kubernetes.io/hostname': node } })),
  );
  await apply('a', ...pods);
  await readyPods('a', namespace, pods.length);
  const addresses: Record<string, string> = {};
  await eventually(async () => {
    for (const { metadata, status } of await list<Pod>('a', ['-n', namespace, 'pods'])) {
      expect(status?.podIP, metadata.name).toBeDefined();
      addresses[metadata.name] = status?.podIP ?? '';
    }
  }, FOUND_WITHIN_MS);
  return addresses;
}

function shell(namespace: string, podName: string, script: string): Promise<string> {
  return kubectl('a', ['-n', namespace, 'exec', podName, '--', 'sh', '-c', script]);
}

describe.skipIf(!isWanted)(isWanted ? title : `${title} (only in a lab that is made with --nat b,c)`, () => {
  beforeAll(() => eventually(allSeeEachOther, FOUND_WITHIN_MS), 2 * FOUND_WITHIN_MS);

  test('say through whom they are connected, and how their packets travel', async () => {
    for (const [cluster, peer] of [
      ['b', 'c'],
      ['c', 'b'],
    ] as const) {
      await eventually(async () => {
        const { status } = await peerOf(cluster, peer);
        expect(status).toMatchObject({ state: 'Connected', via: 'a', network: { path: 'TLS' } });
        const { conditions = [] } = status ?? {};
        expect(conditions.find((one) => one.type === 'Connected')?.message).toBe('Relayed through a');
      }, FOUND_WITHIN_MS);
      expect((await peerOf(cluster, 'a')).status).toMatchObject({ network: { path: 'UDP' } });
    }
  });

  test.each([
    ['a', 'c'],
    ['c', 'a'],
    ['b', 'c'],
    ['c', 'b'],
  ])('a pod of %s runs on %s, with logs and exec', usesPod);

  test('let their pods reach each other, with packets of every size', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    const addresses = await podsEverywhere(name);
    for (const from of ['a', 'b', 'c']) {
      // The pod at home shows an address that is its own there alone: others find it by a Service.
      for (const to of ['b', 'c']) {
        const ask = () => shell(name, from, `timeout 5 wget -qO- http://${addresses[to]}:8080`);
        await eventually(async () => expect(await ask(), `${from} to ${to}`).toContain(`hello from pod ${to}`));
      }
    }
    for (const [from, to] of [
      ['b', 'c'],
      ['c', 'b'],
    ] as const) {
      const counted = shell(name, to, `timeout 50 nc -l -p ${PORT} -e wc -c`);
      const data = `dd if=/dev/zero bs=64k count=${BYTES / 65_536} 2>/dev/null`;
      const send = `until ${data} | nc ${addresses[to]} ${PORT} 2>/dev/null; do usleep 200000; done`;
      const [count] = await Promise.all([shell(name, from, send), counted]);
      expect(Number(count), `bytes from ${from} to ${to}`).toBe(BYTES);
    }
  }, 180_000);

  test('are connected to everybody again after all agents restarted at once, and so are their pods', async () => {
    await using namespace = await offloadedNamespace('a');
    const addresses = await podsEverywhere(namespace.name);
    await restartAgents('a', 'b', 'c');
    await eventually(allSeeEachOther, FOUND_WITHIN_MS);
    await eventually(async () => {
      const answer = await shell(namespace.name, 'b', `timeout 5 wget -qO- http://${addresses.c}:8080`);
      expect(answer).toContain('hello from pod c');
    }, FOUND_WITHIN_MS);
  }, 240_000);
});
