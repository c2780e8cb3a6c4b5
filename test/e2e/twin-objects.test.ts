import { describe, expect, test } from 'vitest';
import type { Pod } from '../../src/core/kube-objects.ts';
import { apply, eventually, get, kubectl, offloadedNamespace, pod, podSpec, twins } from './lab.ts';

const onB = { nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } };
const secret = (namespace: string, name: string, k: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  stringData: { k },
});
const reading = (name: string, optional = false) => ({
  env: [{ name: 'K', valueFrom: { secretKeyRef: { name, key: 'k', optional } } }],
});
const saysK = (namespace: string, name: string) =>
  kubectl('a', ['-n', namespace, 'exec', name, '--', 'sh', '-c', 'env | grep ^K= || echo nothing']);
/** The pods are Ready; others may wait. */
const ready = (namespace: string, ...names: string[]) =>
  kubectl('a', [
    '-n',
    namespace,
    'wait',
    ...names.map((one) => `pod/${one}`),
    '--for=condition=Ready',
    '--timeout=60s',
  ]);
const waits = (namespace: string, name: string, message: string) =>
  eventually(async () => {
    const { status } = await get<Pod>('a', ['-n', namespace, 'pod', name]);
    const reason = 'CreateContainerConfigError';
    expect(status?.containerStatuses?.[0]?.state).toEqual({ waiting: { reason, message } });
  });

async function twinOf(namespace: string): Promise<string> {
  const [twin] = await twins('b', namespace);
  return twin?.metadata.namespace ?? '';
}

describe('a guest', () => {
  test("reads nothing that the provider has in the pod's namespace there, by no way", async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', pod(name, 'first', podSpec(onB)));
    await ready(name, 'first');
    const twin = await twinOf(name);
    await apply('b', secret(twin, 'regcred', 'of-the-provider'));
    await kubectl('b', [
      '-n',
      twin,
      'patch',
      'serviceaccount',
      'default',
      '-p',
      '{"imagePullSecrets":[{"name":"regcred"}]}',
    ]);
    await apply(
      'a',
      pod(name, 'thief', podSpec(onB, reading('regcred'))),
      pod(name, 'quiet', podSpec(onB, reading('regcred', true))),
    );
    // As at home, in the names of home.
    await waits(name, 'thief', 'secret "regcred" not found');
    await ready(name, 'quiet');
    expect(await saysK(name, 'quiet')).toBe('nothing\n');
    for (const one of await twins('b', name))
      expect(one.spec.imagePullSecrets).toEqual([{ name: 'headcut-no-credentials' }]);
    const debug = {
      name: 'd',
      image: 'headcut.dev/demo:0.1.0',
      command: ['sleep', '600'],
      ...reading('regcred', true),
    };
    const patch = JSON.stringify({ spec: { ephemeralContainers: [debug] } });
    await kubectl('a', ['-n', name, 'patch', 'pod', 'first', '--subresource=ephemeralcontainers', '-p', patch]);
    await eventually(async () => {
      const said = await kubectl('a', [
        '-n',
        name,
        'exec',
        'first',
        '-c',
        'd',
        '--',
        'sh',
        '-c',
        'env | grep ^K= || echo nothing',
      ]);
      expect(said).toBe('nothing\n');
    });
    // What its home has under that name arrives beside it.
    await apply('a', secret(name, 'regcred', 'of-home'));
    await ready(name, 'thief');
    expect(await saysK(name, 'thief')).toBe('K=of-home\n');
    const kept = await get<Pod & { data: { k: string } }>('b', ['-n', twin, 'secret', 'regcred']);
    expect(Buffer.from(kept.data.k, 'base64').toString()).toBe('of-the-provider');
  });

  test('gets no Secret that its home has revoked, and the new one of that name', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', secret(name, 'key', 'first'), pod(name, 'before', podSpec(onB, reading('key'))));
    await ready(name, 'before');
    await kubectl('a', ['-n', name, 'delete', 'secret', 'key']);
    await apply(
      'a',
      pod(name, 'after', podSpec(onB, reading('key'))),
      pod(name, 'optional', podSpec(onB, reading('key', true))),
    );
    await waits(name, 'after', 'secret "key" not found');
    await ready(name, 'optional');
    expect(await saysK(name, 'optional')).toBe('nothing\n');
    await apply('a', secret(name, 'key', 'second'));
    await ready(name, 'after');
    expect(await saysK(name, 'after')).toBe('K=second\n');
  });

  test('of a namespace that was made anew finds nothing of the former one', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', secret(name, 'key', 'old'), pod(name, 'web', podSpec(onB, reading('key'))));
    await ready(name, 'web');
    await kubectl('a', ['delete', 'namespace', name]);
    const metadata = { name, labels: { 'headcut.dev/offload': 'true' } };
    await apply('a', { apiVersion: 'v1', kind: 'Namespace', metadata });
    await eventually(async () => void (await kubectl('a', ['-n', name, 'get', 'serviceaccount', 'default'])));
    await apply('a', pod(name, 'web', podSpec(onB, reading('key'))));
    await waits(name, 'web', 'secret "key" not found');
    await apply('a', secret(name, 'key', 'new'));
    await ready(name, 'web');
    expect(await saysK(name, 'web')).toBe('K=new\n');
  });
});
