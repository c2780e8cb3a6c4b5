import { afterAll, expect, test } from 'vitest';
import { MemberPace } from '../../src/agent/shadow-pod/member-pace.ts';
import { ReflectedObjects } from '../../src/agent/shadow-pod/reflected-objects.ts';
import type { ConfigObject } from '../../src/core/kube-objects.ts';
import { toReflectedObject } from '../../src/core/reflection/reflected-object.ts';
import { CONFIG_MAPS } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { adminClient, freshNamespace } from './cluster.ts';

const client = adminClient();
afterAll(() => client.close());

const origin = { cluster: 'a', namespace: 'demo' };
const pace = new MemberPace(systemClock);
const twin = (name: string) => ({ name, origin });
const configMap = (k: string): ConfigObject => ({ kind: 'ConfigMap', metadata: { name: 'settings' }, data: { k } });
const reflected = (k: string, namespace: string, from = origin): ConfigObject =>
  toReflectedObject(configMap(k), 'settings', { name: namespace, origin: from });

test('an object of a consumer is kept equal to what it sent last', async () => {
  const namespace = await freshNamespace(client);
  const objects = new ReflectedObjects(client, pace);
  await objects.apply([reflected('1', namespace)], twin(namespace));
  await objects.apply([reflected('2', namespace)], twin(namespace));
  expect(await client.get(CONFIG_MAPS, { namespace, name: 'settings' })).toMatchObject({ data: { k: '2' } });
});

test("an object of somebody else's is left alone, also where it took the place of ours", async () => {
  const namespace = await freshNamespace(client);
  const foreign = { ...configMap('foreign'), metadata: { name: 'settings', namespace } };
  await client.create(CONFIG_MAPS, foreign);
  const objects = new ReflectedObjects(client, pace);
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
  const objects = new ReflectedObjects(client, pace);
  await objects.apply([reflected('1', namespace)], twin(namespace));
  for (const other of [
    { cluster: 'b', namespace: 'demo' },
    { cluster: 'a', namespace: 'other' },
  ]) {
    const sent = new ReflectedObjects(client, pace).apply([reflected('2', namespace, other)], {
      name: namespace,
      origin: other,
    });
    await expect(sent).rejects.toMatchObject({ code: 'FailedPrecondition' });
  }
  expect(await client.get(CONFIG_MAPS, { namespace, name: 'settings' })).toMatchObject({ data: { k: '1' } });
});

test('a member has changes written at a pace, others are not held up by it, and what is the same costs nothing', async () => {
  const namespace = await freshNamespace(client);
  const own = new ReflectedObjects(client, new MemberPace(systemClock, { perSecond: 0, burst: 2 }));
  await own.apply([reflected('1', namespace)], twin(namespace));
  await own.apply([reflected('2', namespace)], twin(namespace));
  await own.apply([reflected('2', namespace)], twin(namespace));
  await expect(own.apply([reflected('3', namespace)], twin(namespace))).rejects.toMatchObject({
    code: 'ResourceExhausted',
  });
  const [other, others] = [await freshNamespace(client), { cluster: 'b', namespace: 'demo' }];
  await own.apply([reflected('1', other, others)], { name: other, origin: others });
});
