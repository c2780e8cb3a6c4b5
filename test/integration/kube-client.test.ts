import { afterAll, describe, expect, test } from 'vitest';
import type { ConfigObject } from '../../src/core/kube-objects.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../src/kube/api-error.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { CONFIG_MAPS } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { adminClient, freshNamespace } from './cluster.ts';

const client = adminClient();
afterAll(() => client.close());

const configMap = (namespace: string, name: string, k: string): ConfigObject => ({
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data: { k },
});

async function until(check: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (check()) return;
    await systemClock.sleep(50);
  }
  throw new Error('it did not come true within 10 s');
}

describe('the client', () => {
  test('tells apart what exists already, what changed in between and what is not there', async () => {
    const namespace = await freshNamespace(client);
    const created = await client.create(CONFIG_MAPS, configMap(namespace, 'one', 'a'));
    await expect(client.create(CONFIG_MAPS, configMap(namespace, 'one', 'a'))).rejects.toSatisfy(isAlreadyExists);
    await client.replace(CONFIG_MAPS, { ...created, data: { k: 'b' } });
    await expect(client.replace(CONFIG_MAPS, { ...created, data: { k: 'c' } })).rejects.toSatisfy(isConflict);
    await expect(client.get(CONFIG_MAPS, { namespace, name: 'two' })).rejects.toSatisfy(isNotFound);
    await expect(client.delete(CONFIG_MAPS, { namespace, name: 'one' }, { uid: 'another' })).rejects.toSatisfy(
      isConflict,
    );
  });

  test('changes nothing in a dry run, and an equal apply writes nothing', async () => {
    const namespace = await freshNamespace(client);
    await client.create(CONFIG_MAPS, configMap(namespace, 'dry', 'a'), { dryRun: true });
    await expect(client.get(CONFIG_MAPS, { namespace, name: 'dry' })).rejects.toSatisfy(isNotFound);
    const first = await client.apply(CONFIG_MAPS, configMap(namespace, 'one', 'a'));
    const second = await client.apply(CONFIG_MAPS, configMap(namespace, 'one', 'a'));
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });

  test('applies every character that an object can hold, unchanged', async () => {
    const namespace = await freshNamespace(client);
    const isSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdfff;
    const codes = [...Array(0x10000).keys(), 0x10000, 0x1f600, 0x1fffe, 0x10ffff].filter((code) => !isSurrogate(code));
    // One after the other, and each at the begin and the end of a line, where YAML folds.
    const text = codes.map((code) => String.fromCodePoint(code)).join('');
    const lines = codes
      .slice(0, 0x100)
      .map((code) => `${String.fromCodePoint(code)} x ${String.fromCodePoint(code)}\n`);
    const applied = configMap(namespace, 'all', text + lines.join(''));
    await client.apply(CONFIG_MAPS, applied);
    const { data } = await client.get<ConfigObject>(CONFIG_MAPS, { namespace, name: 'all' });
    expect(data?.k === applied.data?.k).toBe(true);
  });

  test('lists page by page without losing any', async () => {
    const namespace = await freshNamespace(client);
    for (let index = 0; index < 7; index += 1) await client.create(CONFIG_MAPS, configMap(namespace, `c${index}`, 'x'));
    const { items } = await client.list(CONFIG_MAPS, { namespace, query: { limit: 3 } });
    expect(items.map((item) => item.metadata.name)).toEqual(['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6']);
  });
});

describe('a reflector', () => {
  test('follows creation, change, deletion and re-creation, and knows when it has seen all', async () => {
    const namespace = await freshNamespace(client);
    await client.create(CONFIG_MAPS, configMap(namespace, 'old', 'a'));
    const reflector = new Reflector<ConfigObject>({
      client,
      type: CONFIG_MAPS,
      namespace,
      clock: systemClock,
      logger: silentLogger,
    });
    const stop = new AbortController();
    const uids = new Set<string | undefined>();
    reflector.onChange((_key, after) => uids.add(after?.metadata.uid));
    expect(reflector.synced).toBe(false);
    const running = reflector.run(stop.signal);
    try {
      await reflector.whenSynced();
      expect(reflector.list().map((one) => one.metadata.name)).toEqual(['old']);
      const address = { namespace, name: 'new' };
      await client.create(CONFIG_MAPS, configMap(namespace, 'new', 'a'));
      await until(() => reflector.get(`${namespace}/new`)?.data?.k === 'a');
      await client.patch(CONFIG_MAPS, address, { data: { k: 'b' } });
      await until(() => reflector.get(`${namespace}/new`)?.data?.k === 'b');
      await client.delete(CONFIG_MAPS, address);
      await until(() => reflector.get(`${namespace}/new`) === undefined);
      await client.create(CONFIG_MAPS, configMap(namespace, 'new', 'c'));
      await until(() => reflector.get(`${namespace}/new`)?.data?.k === 'c');
      expect(uids.size).toBe(4);
    } finally {
      stop.abort();
      await running;
    }
  });

  test('sees only what its selector names', async () => {
    const namespace = await freshNamespace(client);
    for (const name of ['one', 'two']) await client.create(CONFIG_MAPS, configMap(namespace, name, 'x'));
    const reflector = new Reflector<ConfigObject>({
      client,
      type: CONFIG_MAPS,
      namespace,
      fieldSelector: 'metadata.name=two',
      clock: systemClock,
      logger: silentLogger,
    });
    const stop = new AbortController();
    const running = reflector.run(stop.signal);
    await reflector.whenSynced();
    stop.abort();
    await running;
    expect(reflector.list().map((one) => one.metadata.name)).toEqual(['two']);
  });
});

describe('many watches', () => {
  const connections = (): number => process.getActiveResourcesInfo().filter((one) => one === 'TCPSocketWrap').length;

  test('share connections, are told of changes, and end without a trace', async () => {
    const namespace = await freshNamespace(client);
    const before = connections();
    const stop = new AbortController();
    const reflectors = Array.from(
      { length: 250 },
      (_, i) =>
        new Reflector<ConfigObject>({
          client,
          type: CONFIG_MAPS,
          namespace,
          fieldSelector: `metadata.name=c${i}`,
          clock: systemClock,
          logger: silentLogger,
        }),
    );
    const running = reflectors.map((reflector) => reflector.run(stop.signal));
    try {
      await Promise.all(reflectors.map((reflector) => reflector.whenSynced()));
      for (const i of [0, 120, 249]) await client.create(CONFIG_MAPS, configMap(namespace, `c${i}`, 'a'));
      await until(() => [0, 120, 249].every((i) => reflectors[i]?.get(`${namespace}/c${i}`)?.data?.k === 'a'));
      // 100 on one, and those of the calls.
      expect(connections() - before).toBeLessThan(20);
    } finally {
      stop.abort();
    }
    await Promise.all(running);
    // All streams were given back: as many again find room on the same connections.
    const again = new AbortController();
    const second = reflectors.map((reflector) => reflector.run(again.signal));
    await client.patch(CONFIG_MAPS, { namespace, name: 'c249' }, { data: { k: 'b' } });
    await until(() => reflectors[249]?.get(`${namespace}/c249`)?.data?.k === 'b');
    expect(connections() - before).toBeLessThan(20);
    again.abort();
    await Promise.all(second);
  });
});
