import { Readable } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
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

/** Clients of virtual nodes, whose every object has `bytes` of data. */
function followed({ bytes = 1, ...limits }: { bytes?: number; maxWatches?: number; maxBytes?: number } = {}) {
  const open = new Set<string>();
  const identities = new Map<string, Pick<KubeClient, 'list' | 'stream'>>();
  const client = {
    list: async (_type: unknown, { query }: { query: { fieldSelector: string } }) => {
      const name = query.fieldSelector.split('=')[1] ?? '';
      const metadata = { name, namespace: 'n', resourceVersion: '1' };
      return { items: [{ metadata, data: { value: 'x'.repeat(bytes) } }], resourceVersion: '1' };
    },
    stream: async (_path: string, { query, signal }: { query: { fieldSelector: string }; signal: AbortSignal }) => {
      const body = new Readable({ read: () => {} });
      open.add(query.fieldSelector);
      signal.addEventListener('abort', () => {
        open.delete(query.fieldSelector);
        body.destroy(new Error('aborted'));
      });
      return { body, headers: {} };
    },
  } as unknown as Pick<KubeClient, 'list' | 'stream'>;
  identities.set('headcut-b', client);
  const objects = new ReferencedObjects({
    client: (node) => identities.get(node),
    clock: systemClock,
    logger: silentLogger,
    onChange: () => {},
    ...limits,
  });
  return { objects, open, identities, client };
}

const naming = (uid: string, names: string[], namespace = 'n'): Pod =>
  ({
    metadata: { name: uid, namespace, uid },
    spec: {
      nodeName: 'headcut-b',
      containers: [{ name: 'c', envFrom: names.map((name) => ({ configMapRef: { name, optional: true } })) }],
    },
  }) as Pod;

const names = (count: number, prefix = 'c'): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

describe('what pods of one user may have followed is limited', () => {
  test('a pod that names thousands of objects is refused with a reason, and no watch is opened', async () => {
    const { objects, open } = followed();
    expect(objects.of(naming('u', names(5_000)))).toMatchObject({
      accepted: false,
      kind: 'policy',
      reason: 'TooManyObjects',
      message: expect.stringContaining('5000 ConfigMaps and Secrets, 100 are sent at most'),
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(open.size).toBe(0);
  });

  test('a namespace has its share, others have theirs, and there is room again when its pods are gone', async () => {
    const { objects } = followed({ maxWatches: 40 });
    try {
      objects.of(naming('u1', names(10)));
      expect(objects.of(naming('u2', names(1, 'other')))).toMatchObject({ kind: 'later', reason: 'TooManyObjects' });
      expect(objects.of(naming('u3', names(10), 'n2'))).toBeUndefined();
      // What is followed already is followed for this one as well.
      expect(objects.of(naming('u4', names(10)))).toBeUndefined();
      objects.release('u1');
      expect(objects.of(naming('u2', names(1, 'other')))).toMatchObject({ kind: 'later' });
      objects.release('u4');
      expect(objects.of(naming('u2', names(1, 'other')))).toBeUndefined();
    } finally {
      objects.close();
    }
  });

  test('what is too large together is not kept, and a pod is refused until there is room', async () => {
    const { objects } = followed({ bytes: 1_000, maxBytes: 8_000 });
    try {
      const small = naming('u1', names(3));
      objects.of(small);
      await vi.waitFor(() => expect(objects.of(small)).toHaveLength(3));
      const large = naming('u2', names(3, 'other'));
      await vi.waitFor(() => expect(objects.of(large)).toMatchObject({ kind: 'later', reason: 'TooManyObjects' }));
      objects.release('u1');
      await vi.waitFor(() => expect(objects.of(large)).toHaveLength(3));
    } finally {
      objects.close();
    }
  });

  test('watches end with the pod, and with the identity of its node', async () => {
    const { objects, open, identities, client } = followed();
    try {
      objects.of(naming('u1', ['only', 'both']));
      objects.of(naming('u2', ['both']));
      await vi.waitFor(() => expect(open.size).toBe(2));
      objects.release('u1');
      expect([...open]).toEqual(['metadata.name=both']);
      identities.clear();
      objects.release('u2');
      objects.of(naming('u3', ['later']));
      expect(open.size).toBe(0);
      identities.set('headcut-b', client);
      objects.of(naming('u3', ['later']));
      await vi.waitFor(() => expect([...open]).toEqual(['metadata.name=later']));
    } finally {
      objects.close();
    }
  });
});
