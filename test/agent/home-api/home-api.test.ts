import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { HomeApiGate } from '../../../src/agent/home-api/home-api-gate.ts';
import { createHomeApiStream } from '../../../src/agent/home-api/home-api-stream.ts';
import type { OffloadedPods, PeerLink, PeerLinks } from '../../../src/agent/ports.ts';
import type { Pod } from '../../../src/core/kube-objects.ts';
import type { StreamHandler } from '../../../src/peering/serving.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { FakeStore } from '../../fake-store.ts';

const HOST = '127.0.0.1';
const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

const withToken = { volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }] };
const pod = (uid: string, nodeName: string, phase: 'Running' | 'Succeeded' = 'Running'): Pod => ({
  metadata: { name: uid, namespace: 'demo', uid },
  spec: { nodeName, containers: [{ name: 'c' }], ...withToken },
  status: { phase },
});

const withoutToken: Pod = { ...pod('u4', 'headcut-b'), spec: { nodeName: 'headcut-b', containers: [{ name: 'c' }] } };

/** An API server that says what it is and repeats what it hears. */
async function startApiServer(): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('home ');
    socket.pipe(socket);
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  running.push(server);
  return `https://${HOST}:${(server.address() as AddressInfo).port}`;
}

async function startStream(
  options: { isAllowed?: boolean; apiServer?: string } = {},
): Promise<StreamHandler<'home-api'>> {
  return createHomeApiStream({
    pods: new FakeStore([
      withoutToken,
      pod('u1', 'headcut-b'),
      pod('u2', 'headcut-c'),
      pod('u3', 'headcut-b', 'Succeeded'),
    ]),
    nodes: { peerOf: (node) => (node === 'headcut-b' ? 'peer-b' : node === 'headcut-c' ? 'peer-c' : undefined) },
    isAllowed: () => options.isAllowed ?? true,
    apiServer: options.apiServer ?? (await startApiServer()),
    clock: systemClock,
  });
}

/** The link of b to its peer a, whose agent serves `serve`. */
function linksTo(serve: StreamHandler<'home-api'>): PeerLinks {
  const stream = async (_name: string, query: { uid: string }): Promise<Duplex> => {
    const pair = createServer();
    pair.listen(0, HOST);
    await once(pair, 'listening');
    const near = connect((pair.address() as AddressInfo).port, HOST);
    const [far] = (await once(pair, 'connection')) as [Socket];
    pair.close();
    await serve({ peerId: 'peer-b', query, accept: () => far });
    return near;
  };
  const link = { stream } as unknown as PeerLink;
  return { get: (id) => (id === 'cluster-a' ? link : undefined), list: () => [link], synced: true, onChange: () => {} };
}

async function startGate(serve: StreamHandler<'home-api'>, uid: string, cluster = 'cluster-a'): Promise<number> {
  const pods: OffloadedPods = {
    find: () => Promise.resolve({ cluster, namespace: 'demo', uid }),
    twinOf: () => undefined,
    namespaceOf: () => undefined,
  };
  const gate = new HomeApiGate({ pods, links: linksTo(serve), logger: silentLogger });
  running.push(gate);
  return gate.listen(HOST, 0);
}

/** What comes back on a connection of the pod, up to `length` characters; less when it is closed before. */
async function talk(port: number, text: string, length: number): Promise<string> {
  const socket = connect(port, HOST);
  socket.on('error', () => {});
  socket.write(text);
  let heard = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: true })) {
    heard += String(chunk);
    if (heard.length >= length) break;
  }
  return heard;
}

describe('the way of an offloaded pod to the API server of its home', () => {
  test('carries bytes both ways untouched', async () => {
    const port = await startGate(await startStream(), 'u1');
    expect(await talk(port, 'hello', 10)).toBe('home hello');
  });

  test.each([
    ['a pod that runs elsewhere', 'u2', {}],
    ['a pod that has ended', 'u3', {}],
    ['a pod that nobody knows', 'u9', {}],
    ['a pod that mounts no token', 'u4', {}],
    ['any pod where the setting says so', 'u1', { isAllowed: false }],
    ['a pod whose API server is away', 'u1', { apiServer: `https://${HOST}:1` }],
  ])('is closed to %s', async (_what, uid, options) => {
    const port = await startGate(await startStream(options), uid);
    expect(await talk(port, 'hello', 10).catch(() => '')).toBe('');
  });

  test('is closed when the home is no member any more', async () => {
    const port = await startGate(await startStream(), 'u1', 'cluster-x');
    expect(await talk(port, 'hello', 10).catch(() => '')).toBe('');
  });

  test('says why it is closed', async () => {
    const serve = await startStream({ isAllowed: false });
    const query = { uid: 'u1' };
    const accept = (): never => {
      throw new Error('accepted');
    };
    await expect(Promise.resolve(serve({ peerId: 'peer-b', query, accept }))).rejects.toMatchObject({
      code: 'Forbidden',
      message: expect.stringContaining('spec.homeApi'),
    });
  });
});
