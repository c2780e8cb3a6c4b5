import { Readable } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { ExportedPods } from '../../../src/agent/sharing/exported-pods.ts';
import { OwnExports } from '../../../src/agent/sharing/own-exports.ts';
import type { KubeObject, Node, Pod } from '../../../src/core/kube-objects.ts';
import type { ServiceExport } from '../../../src/core/sharing/sharing-objects.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { systemClock as clock } from '../../../src/runtime/clock.ts';
import { silentLogger as logger } from '../../../src/runtime/logger.ts';
import { FakeStore } from '../../fake-store.ts';

let ended = new AbortController();
afterEach(() => ended.abort());

const SERVICE = { metadata: { namespace: 'shop', name: 'web' }, spec: { ports: [{ name: 'http', port: 80 }] } };

/** @param spec besides where it runs */
const pod = (name: string, podIP: string, { namespace = 'shop', spec = {}, ended = false } = {}): Pod => ({
  metadata: { namespace, name, uid: name },
  spec: { containers: [], nodeName: 'n', ...spec },
  status: { phase: ended ? 'Succeeded' : 'Running', podIP },
});

/** Service `web` is exported, and a slice of it names these addresses as those of pods. */
function start(pods: Pod[], named: [string, string][], synced = true) {
  ended = new AbortController();
  const slice = {
    metadata: { namespace: 'shop', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: named.map(([name, address]) => ({
      addresses: [address],
      conditions: { ready: true },
      targetRef: { kind: 'Pod', namespace: 'shop', name },
    })),
  };
  const client = {
    list: async ({ plural }: { plural: string }) => ({
      items: plural === 'services' ? [SERVICE] : [slice],
      resourceVersion: '1',
    }),
    stream: async () => ({ body: new Readable({ read: () => {} }), headers: {} }),
  } as unknown as Pick<KubeClient, 'list' | 'stream'>;
  const exported = new ExportedPods();
  const own = new OwnExports({
    ...{ client, exported, clock, logger },
    exports: new FakeStore<ServiceExport>([{ metadata: { namespace: 'shop', name: 'web' } }]),
    namespaces: new FakeStore<KubeObject>([{ metadata: { name: 'shop' } }]),
    nodes: new FakeStore<Node>([{ metadata: { name: 'n' }, spec: { podCIDR: '10.244.0.0/24' } }]),
    pods: new FakeStore<Pod>(pods),
    isOffloaded: ({ spec }) => spec.nodeName === 'headcut-b',
    addresses: {
      ...{ synced, toLocal: () => undefined, memberOf: () => undefined, onChange: () => {} },
      toImage: (local) => (synced ? local.replace('10.244.0.', '100.64.1.') : undefined),
    },
  });
  void own.run(ended.signal);
  own.controller.enqueue('shop');
  return { own, exported };
}

test('an export opens addresses of running pods of its namespace, and no others', async () => {
  const { exported, own } = start(
    [
      pod('web', '10.244.0.7'),
      pod('liar', '10.244.0.8'),
      pod('host', '192.0.2.1', { spec: { hostNetwork: true } }),
      pod('host-inside', '10.244.0.1', { spec: { hostNetwork: true } }),
      pod('outside', '198.51.100.9'),
      pod('ended', '10.244.0.10', { ended: true }),
      pod('sent', '10.244.0.11', { spec: { nodeName: 'headcut-b' } }),
      pod('db', '10.244.0.9', { namespace: 'other' }),
    ],
    [
      ['web', '10.244.0.7'],
      ['liar', '10.244.0.9'],
      ['liar', '10.96.0.1'],
      ['host', '192.0.2.1'],
      ['host-inside', '10.244.0.1'],
      ['outside', '198.51.100.9'],
      ['ended', '10.244.0.10'],
      ['sent', '10.244.0.11'],
    ],
  );
  await vi.waitFor(() => expect(own.get('shop/web')).toBeDefined());
  expect(exported.all()).toEqual(['10.244.0.7']);
});

test('pods are open again after a start of the agent before it knows by which images others see them', async () => {
  const { exported, own } = start([pod('web', '10.244.0.7')], [['web', '10.244.0.7']], false);
  await vi.waitFor(() => expect(exported.all()).toEqual(['10.244.0.7']));
  expect(own.synced).toBe(false);
});
