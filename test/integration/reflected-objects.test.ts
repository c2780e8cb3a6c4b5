import { afterAll, expect, test } from 'vitest';
import { ReflectedObjects } from '../../src/agent/shadow-pod/reflected-objects.ts';
import type { ConfigObject } from '../../src/core/kube-objects.ts';
import { toReflectedObject } from '../../src/core/reflection/reflected-object.ts';
import { CONFIG_MAPS } from '../../src/kube/resources.ts';
import { adminClient, freshNamespace } from './cluster.ts';

const client = adminClient();
afterAll(() => client.close());

const origin = { cluster: 'a', namespace: 'demo' };
const twin = (name: string) => ({ name, origin });
const configMap = (k: string): ConfigObject => ({ kind: 'ConfigMap', metadata: { name: 'settings' }, data: { k } });
const reflected = (k: string, namespace: string, from = origin): ConfigObject =>
  toReflectedObject(configMap(k), 'settings', { name: namespace, origin: from });

test('an object of a consumer is kept equal to what it sent last', async () => {
  const namespace = await freshNamespace(client);
  const objects = new ReflectedObjects(client);
  await objects.apply([reflected('1', namespace)], twin(namespace));
  await objects.apply([reflected('2', namespace)], twin(namespace));
  expect(await client.get(CONFIG_MAPS, { namespace, name: 'settings' })).toMatchObject({ data: { k: '2' } });
});

test("an object of somebody else's is left alone, also where it took the place of ours", async () => {
  const namespace = await freshNamespace(client);
  const foreign = { ...configMap('foreign'), metadata: { name: 'settings', namespace } };
  await client.create(CONFIG_MAPS, foreign);
  const objects = new ReflectedObjects(client);
  const refused = { code: 'FailedPrecondition', message: expect.stringContaining("is not headcut's") };
  await expect(objects.apply([reflected('1', namespace)], twin(namespace))).rejects.toMatchObject(refused);
  await client.delete(CONFIG_MAPS, { namespace, name: 'settings' });
  await objects.apply([reflected('1', namespace)], twin(namespace));
  await client.delete(CONFIG_MAPS, { namespace, name: 'settings' });
  await client.create(CONFIG_MAPS, foreign);
  await expect(objects.apply([reflected('2', namespace)], twin(namespace))).rejects.toMatchObject(refused);
  expect(await client.get(CONFIG_MAPS, { namespace, name: 'settings' })).toMatchObject({ data: { k: 'foreign' } });
});

test('what another cluster sent, or was sent for another namespace, is not overwritten', async () => {
  const namespace = await freshNamespace(client);
  const objects = new ReflectedObjects(client);
  await objects.apply([reflected('1', namespace)], twin(namespace));
  for (const other of [
    { cluster: 'b', namespace: 'demo' },
    { cluster: 'a', namespace: 'other' },
  ]) {
    const sent = new ReflectedObjects(client).apply([reflected('2', namespace, other)], {
      name: namespace,
      origin: other,
    });
    await expect(sent).rejects.toMatchObject({ code: 'FailedPrecondition' });
  }
  expect(await client.get(CONFIG_MAPS, { namespace, name: 'settings' })).toMatchObject({ data: { k: '1' } });
});
