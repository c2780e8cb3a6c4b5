import { request } from 'node:https';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import { isPlain } from '../../src/core/plain-text.ts';
import { NAMESPACES, NODES, PODS } from '../../src/kube/resources.ts';
import type { CallHandlers } from '../../src/peering/serving.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { ENDPOINTS } from '../../src/wire/endpoints.ts';
import { MESSAGES } from '../../src/wire/messages.ts';
import { CostBounds } from './cost-bounds.ts';
import { type Host, startHost } from './host.ts';
import { hostileValues, placesIn, type Schema, sampleOf, valueAt, withAt } from './hostile-values.ts';
import { OFFER, type Provider, runningStatus, startProvider } from './provider.ts';

let host: Host;
let enemy: Provider;
let friend: Provider;
let bounds: CostBounds;

beforeAll(async () => {
  host = await startHost();
  [enemy, friend] = [
    await startProvider('enemy', await host.invited(), { podStream: () => streams() }),
    await startProvider('friend', await host.invited()),
  ];
  await host.client.create(NAMESPACES, { metadata: { name: 'work', labels: { 'headcut.dev/offload': 'true' } } });
  for (const provider of [enemy, friend]) {
    await eventually(async () => void (await host.client.get(NODES, { name: provider.node })));
    for (let i = 0; i < 3; i += 1) await createPod(`${provider.name}-${i}`, provider.node);
  }
  await eventually(allRun);
  await askKubelet(enemy, '/containerLogs/work/enemy-0/c');
  bounds = new CostBounds(host, (await host.cost()).rssMb);
}, 180_000);
afterAll(async () => {
  for (const provider of [enemy, friend]) await provider?.stop();
  await host?.stop();
});

type PodStream = NonNullable<NonNullable<Parameters<typeof startProvider>[2]>['podStream']>;
let streams: () => ReturnType<PodStream>;
streams = () => Promise.resolve({ upgraded: false, status: 400, body: 'no', contentType: 'text/plain' });

async function eventually(check: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await check();
    } catch (error) {
      if (tries > 150) throw error;
      await systemClock.sleep(200);
    }
  }
}

const createPod = (name: string, nodeName: string) =>
  eventually(async () => {
    const containers = [{ name: 'c', image: 'x', resources: { requests: { cpu: '10m', memory: '16Mi' } } }];
    await host.client.create(PODS, { metadata: { name, namespace: 'work' }, spec: { nodeName, containers } } as never);
  });

async function allRun(): Promise<void> {
  const { items } = await host.client.list<Pod>(PODS, { namespace: 'work' });
  const phases = items.map(({ metadata: { name }, status }) => `${name} ${status?.phase}`).sort();
  const expected = [enemy, friend].flatMap(({ name }) => [0, 1, 2].map((i) => `${name}-${i} Running`));
  expect(phases).toEqual(expected.sort());
}

/** Pods that their provider ended, which it may, are made again, as controllers do. */
async function madeAgain(provider: Provider): Promise<void> {
  const { items } = await host.client.list<Pod>(PODS, { namespace: 'work' });
  for (const { metadata, spec, status } of items) {
    if (spec.nodeName !== provider.node || !['Failed', 'Succeeded'].includes(status?.phase ?? '')) continue;
    await host.client.delete(PODS, { namespace: 'work', name: metadata.name }, { gracePeriodSeconds: 0 });
    await createPod(metadata.name, provider.node);
  }
}

/** What is held of others while one says what it likes: pods of the friend, its node, and an answer to its next pod. */
async function othersGoOn(): Promise<void> {
  const node = await host.client.get<Node>(NODES, { name: friend.node });
  expect(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
  const { items } = await host.client.list<Pod>(PODS, { namespace: 'work' });
  const own = items.filter(({ spec }) => spec.nodeName === friend.node);
  expect(own.map(({ status }) => status?.phase)).toEqual(['Running', 'Running', 'Running']);
}

/** As the API server asks the kubelet port of a virtual node. */
async function askKubelet(provider: Provider, path: string, headers: Record<string, string> = {}) {
  const node = await host.client.get<Node>(NODES, { name: provider.node });
  const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port;
  return new Promise<{ status: number; text: string }>((resolve) => {
    const asked = request({
      ...{ host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false },
      headers: { authorization: `Bearer ${host.api.token}`, ...headers },
    });
    const done = (status: number, text: string): void => {
      asked.destroy();
      resolve({ status, text });
    };
    asked.on('error', (error) => done(0, error.message));
    asked.setTimeout(3_000, () => done(-1, 'nothing comes'));
    asked.on('response', (answer) => {
      let text = '';
      // Read slowly: what a provider sends meanwhile is held nowhere.
      answer.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1', 0, 1_000);
        answer.pause();
        setTimeout(() => answer.resume(), 20);
      });
      answer.on('end', () => done(answer.statusCode ?? 0, text));
      setTimeout(() => done(answer.statusCode ?? 0, text), 2_000);
    });
    asked.end();
  });
}

const chosen = <T>(all: T[], count: number): T[] => {
  const length = Math.min(count, all.length);
  return (
    fc.sample(fc.shuffledSubarray(all, { minLength: length, maxLength: length }), { numRuns: 1, seed: 11 })[0] ?? []
  );
};

/** Values of JavaScript: what no JSON of an object can be is in messages.test.ts. */
function hostileForms(sample: unknown, count: number): unknown[] {
  // Nested so deep that it cannot be written is nothing that this process can send.
  const all = placesIn(sample).flatMap((place) =>
    hostileValues(valueAt(sample, place), 64 * 1024)
      .filter(({ what }) => what !== 'nesting')
      .map(
        ({ json }) =>
          () =>
            JSON.parse(withAt(sample, place, json)) as unknown,
      ),
  );
  return chosen(all, count).map((form) => form());
}

describe('a provider that says whatever it likes harms nobody but those whose pods it runs', () => {
  test('of its pods', { timeout: 120_000 }, async () => {
    const before = [...enemy.told.pods.values()];
    const [first] = before;
    const sample = { ...(sampleOf(MESSAGES.pod.fields.properties.pod as unknown as Schema) as object), ...first };
    await bounds.within(
      async () => {
        for (const form of hostileForms(sample, 150)) {
          if (typeof form !== 'object' || form === null) continue;
          enemy.told.pods.set(first?.uid ?? '', form as never);
          enemy.told.changed({ podUid: first?.uid ?? '' });
          await systemClock.sleep(30);
        }
        await othersGoOn();
      },
      { writes: 60, lines: 20 },
    );
    for (const pod of before) enemy.told.pods.set(pod.uid, pod);
    enemy.told.changed('pods');
    await madeAgain(enemy);
    await eventually(allRun);
  });

  test('of its pods, as fast as it can', { timeout: 60_000 }, async () => {
    const before = [...enemy.told.pods.values()];
    await bounds.within(
      async () => {
        for (let round = 0; round < 200; round += 1) {
          for (const pod of before) {
            const events = Array.from({ length: 50 }, (_, i) => ({
              ...{ id: `${round}-${i}`, type: 'Warning', reason: 'Evil', message: 'x'.repeat(500), count: 1 },
              lastTimestamp: new Date().toISOString(),
            }));
            const status = { ...runningStatus([{ name: 'c' }]), message: `${round} ${'x'.repeat(50_000)}` };
            enemy.told.pods.set(pod.uid, { ...pod, status, events });
            enemy.told.changed({ podUid: pod.uid });
          }
          await systemClock.sleep(25);
        }
        await othersGoOn();
      },
      // Of three pods: statuses once a second after a start of six, and twenty-five events each.
      { writes: 200, lines: 10 },
    );
    for (const pod of before) enemy.told.pods.set(pod.uid, pod);
    enemy.told.changed('pods');
    await eventually(allRun);
  });

  test('of its room', { timeout: 120_000 }, async () => {
    await bounds.within(
      async () => {
        for (const form of hostileForms(
          { ...(sampleOf(MESSAGES.offer.fields.properties.offer as never) as object), ...OFFER },
          150,
        )) {
          enemy.told.offer = form as never;
          enemy.told.changed('offer');
          await systemClock.sleep(30);
        }
        await othersGoOn();
        expect(await host.metrics()).toContain('headcut_peers');
      },
      { writes: 150, lines: 20 },
    );
    enemy.told.offer = OFFER;
    enemy.told.changed('offer');
    await eventually(allRun);
  });

  const ANSWERED = [
    'submitPod',
    'deletePod',
    'updatePod',
    'updateObjects',
    'updateServices',
    'stats',
    'freshOffer',
  ] as const;
  test.each(ANSWERED)('in its answers to %s', { timeout: 120_000 }, async (name) => {
    const sample = sampleOf(ENDPOINTS[name].reply as unknown as Schema);
    const forms = hostileForms(sample, 25);
    let asked = 0;
    (enemy.calls as Record<string, unknown>)[name] = () => forms[asked++ % forms.length] ?? {};
    const extra = `more-${name.toLowerCase()}`;
    await bounds.within(
      async () => {
        await createPod(extra, enemy.node);
        for (let i = 0; i < 5; i += 1) await askKubelet(enemy, '/stats/summary');
        await host.client.delete(PODS, { namespace: 'work', name: extra }, { gracePeriodSeconds: 0 });
        await othersGoOn();
      },
      { writes: 60, lines: 12 },
    );
    delete enemy.calls[name as keyof CallHandlers];
    await eventually(allRun);
  });

  test('in logs that never end, which nobody reads', { timeout: 60_000 }, async () => {
    enemy.calls.logs = () => Promise.resolve(endless());
    await bounds.within(async () => {
      const asked = Array.from({ length: 20 }, () => askKubelet(enemy, '/containerLogs/work/enemy-0/c?follow=true'));
      await Promise.all(asked);
      await othersGoOn();
    });
  });

  test('in what it says to an exec that it refuses', async () => {
    const text = `${'\u001b]52;c;ZXZpbA==\u0007'.repeat(10)}\u202e`;
    const upgrade = { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v4.channel.k8s.io' };
    for (const body of [text, JSON.stringify({ kind: 'Status', status: 'Failure', message: text })]) {
      streams = () => Promise.resolve({ upgraded: false, status: 400, body, contentType: 'application/json' });
      const said = await askKubelet(enemy, '/exec/work/enemy-0/c?command=sh&output=1', upgrade);
      expect(said.status).toBe(400);
      expect(said.text).toContain(']52;c;');
      expect(isPlain(said.text)).toBe(true);
    }
    streams = () => Promise.resolve({ upgraded: false, status: 400, body: 'x'.repeat(10_000_000), contentType: 'x' });
    await bounds.within(async () => {
      const said = await Promise.all(
        Array.from({ length: 10 }, () => askKubelet(enemy, '/exec/work/enemy-0/c?command=sh', upgrade)),
      );
      for (const { text: refusal } of said) expect(refusal.length).toBeLessThan(100_000);
    });
  });
});

/** Lines without an end, as fast as somebody takes them. */
function endless(): Readable {
  return new Readable({
    read() {
      this.push(Buffer.alloc(64 * 1024, 'x'));
    },
  });
}
