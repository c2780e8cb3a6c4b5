import { afterAll, expect, test } from 'vitest';
import { ReflectedObjects } from '../../src/agent/shadow-pod/reflected-objects.ts';
import type { ConfigObject } from '../../src/core/kube-objects.ts';
import { CONFIG_MAPS } from '../../src/kube/resources.ts';
import { adminClient, freshNamespace } from './cluster.ts';

const client = adminClient();
afterAll(() => client.close());

const origin = { cluster: 'a', namespace: 'demo' };
const configMap = (k: string): ConfigObject => ({ kind: 'ConfigMap', metadata: { name: 'settings' }, data: { k } });

test('an object of a consumer is kept equal to what it sent last', async () => {
  const namespace = await freshNamespace(client);
  const objects = new ReflectedObjects(client);
  await objects.apply([configMap('1')], origin, namespace);
  await objects.apply([configMap('2')], origin, namespace);
  expect(await client.get(CONFIG_MAPS, { namespace, name: 'settings' })).toMatchObject({ data: { k: '2' } });
});

test("an object of somebody else's is left alone, also where it took the place of ours", async () => {
  const namespace = await freshNamespace(client);
  const foreign = { ...configMap('foreign'), metadata: { name: 'settings', namespace } };
  await client.create(CONFIG_MAPS, foreign);
  const objects = new ReflectedObjects(client);
  const refused = { code: 'FailedPrecondition', message: expect.stringContaining("is not headcut's") };
  await expect(objects.apply([configMap('1')], origin, namespace)).rejects.toMatchObject(refused);
  await client.delete(CONFIG_MAPS, { namespace, name: 'settings' });
  await objects.apply([configMap('1')], origin, namespace);
  await client.delete(CONFIG_MAPS, { namespace, name: 'settings' });
  await client.create(CONFIG_MAPS, foreign);
  await expect(objects.apply([configMap('2')], origin, namespace)).rejects.toMatchObject(refused);
  expect(await client.get(CONFIG_MAPS, { namespace, name: 'settings' })).toMatchObject({ data: { k: 'foreign' } });
});
