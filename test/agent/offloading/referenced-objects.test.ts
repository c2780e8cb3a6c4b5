import { Readable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { ReferencedObjects } from '../../../src/agent/offloading/referenced-objects.ts';
import type { ConfigObject, Pod } from '../../../src/core/kube-objects.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

const pod: Pod = {
  metadata: { name: 'p', namespace: 'n', uid: 'u' },
  spec: { nodeName: 'headcut-b', containers: [{ name: 'c', envFrom: [{ configMapRef: { name: 'settings' } }] }] },
} as Pod;

/** A client that knows one version of the object; as one of undici it serves nothing any more once it is closed. */
function clientWith(value: string) {
  const object = { metadata: { name: 'settings', namespace: 'n', resourceVersion: value }, data: { value } };
  let closed = false;
  let end = (): void => {};
  const check = (): void => {
    if (closed) throw new Error('The client is destroyed');
  };
  const client = {
    list: async () => {
      check();
      return { items: [object], resourceVersion: value };
    },
    stream: async () => {
      check();
      const body = new Readable({ read: () => {} });
      body.push(`${JSON.stringify({ type: 'MODIFIED', object })}\n`);
      end = () => void body.destroy(new Error('The client is destroyed'));
      return { body, headers: {} };
    },
  } as unknown as Pick<KubeClient, 'list' | 'stream'>;
  return {
    client,
    close: () => {
      closed = true;
      end();
    },
  };
}

test('objects are followed on when the virtual node has another certificate', async () => {
  const first = clientWith('1');
  const second = clientWith('2');
  let current = first.client;
  const seen: unknown[] = [];
  const objects = new ReferencedObjects({
    client: () => current,
    clock: systemClock,
    logger: silentLogger,
    onChange: (_node, _namespace, object) => seen.push((object as ConfigObject & { data: object }).data),
  });
  try {
    expect(objects.of(pod)).toBeUndefined();
    await vi.waitFor(() => expect(seen).toContainEqual({ value: '1' }));
    current = second.client;
    first.close();
    await vi.waitFor(() => expect(seen.at(-1)).toEqual({ value: '2' }), 10_000);
  } finally {
    objects.close();
  }
});
