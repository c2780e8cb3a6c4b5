import dnsPacket from 'dns-packet';
import { afterEach, describe, expect, test } from 'vitest';
import { DnsGate } from '../../../src/agent/dns/dns-gate.ts';
import type { KnownNames, OffloadedPods } from '../../../src/agent/ports.ts';
import { gateName } from '../../../src/core/shadow-pod/start-gate.ts';
import { derivedName } from '../../../src/core/sharing/sharing-objects.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { askDns, type DnsListener, type DnsTransport, listenForDns } from '../../../src/runtime/dns-transport.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

const HOST = '127.0.0.1';
const NEW_FOR_MS = 300;
const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

const podOf: OffloadedPods = {
  find: (address) =>
    Promise.resolve(address === HOST ? { cluster: 'cluster-a', namespace: 'demo', uid: 'u1' } : undefined),
  twinOf: (_cluster, namespace) => (namespace === 'demo' ? 'demo-1' : undefined),
  namespaceOf: (_cluster, twin) => (twin === 'demo-1' ? 'demo' : undefined),
};

/** The DNS of the provider: answers each name with an address, and remembers what it was asked. */
async function startCluster(answers = 1): Promise<DnsListener & { asked: string[] }> {
  const asked: string[] = [];
  const listener = await listenForDns(HOST, 0, (_client, message, transport) => {
    const { id, questions = [] } = dnsPacket.decode(message);
    const [question] = questions;
    asked.push(`${transport} ${question?.name}`);
    const name = question?.name ?? '.';
    const records = Array.from({ length: answers }, (_, index) => ({
      type: 'A' as const,
      name,
      data: `10.0.0.${index}`,
    }));
    const whole = dnsPacket.encode({ type: 'response', id: id ?? 0, questions, answers: records });
    const cut = dnsPacket.encode({ type: 'response', id: id ?? 0, flags: dnsPacket.TRUNCATED_RESPONSE, questions });
    return Promise.resolve(transport === 'udp' && whole.length > 512 ? cut : whole);
  });
  running.push(listener);
  return { ...listener, asked };
}

/** Answers all with this. */
async function startAnswering(flags: number, addresses: string[]): Promise<DnsListener> {
  const listener = await listenForDns(HOST, 0, (_client, message) => {
    const { id = 0, questions = [] } = dnsPacket.decode(message);
    const name = questions[0]?.name ?? '.';
    const answers = addresses.map((data) => ({ type: 'A' as const, name, data }));
    return Promise.resolve(dnsPacket.encode({ type: 'response', id, flags, questions, answers }));
  });
  running.push(listener);
  return listener;
}

/** `web` has been there for long, `new` appeared a moment ago. */
const services: KnownNames = {
  usableInMs: (service) =>
    service === 'demo-1/web' || service === `demo-1/${derivedName('db')}`
      ? 0
      : service === 'demo-1/new'
        ? NEW_FOR_MS
        : undefined,
};

async function startGate(ports: number[], pods = podOf): Promise<number> {
  const gate = new DnsGate({
    pods,
    services,
    servers: ports.map((port) => ({ host: HOST, port })),
    clusterDomain: 'cluster.local',
    clusterOf: (address) => (address === '10.96.0.5' ? 'b' : 'c'),
    homeApi: () => '10.96.8.8',
    addresses: {
      synced: true,
      toImage: (local) => (local === HOST ? '100.64.7.9' : undefined),
      // Of two addresses at home one is just the one that the asking pod has here.
      toHome: (_member, here) => ({ '10.96.0.9': '10.43.0.7', '100.64.1.1': HOST })[here] ?? here,
      toHere: (_member, there) => ({ '10.43.0.7': '10.96.0.9', [HOST]: '100.64.1.1' })[there] ?? there,
    },
    mayStart: (uid) => uid === 'allowed',
    clock: systemClock,
    logger: silentLogger,
  });
  running.push(gate);
  return gate.listen(HOST, 0);
}

async function ask(port: number, name: string, transport: DnsTransport = 'udp', type: 'A' | 'AAAA' = 'A') {
  const bytes = dnsPacket.encode({ type: 'query', id: 5, flags: 256, questions: [{ type, name }] });
  const answer = dnsPacket.decode(await askDns({ host: HOST, port }, bytes, transport, AbortSignal.timeout(5_000)));
  return { ...answer, code: (answer.flags ?? 0) & 0xf };
}

describe('the nameserver of offloaded pods', () => {
  test('tells a pod the address by which others know it', async () => {
    const port = await startGate([]);
    expect(await ask(port, 'own.address.headcut')).toMatchObject({ code: 0, answers: [{ data: '100.64.7.9' }] });
  });

  test('answers in the addresses of home, but for the one that the asking pod has itself', async () => {
    const server = await listenForDns(HOST, 0, (_client, bytes) => {
      const asked = dnsPacket.decode(bytes);
      const name = asked.questions?.[0]?.name ?? '';
      const answers = ['10.96.0.9', '100.64.1.1'].map((data) => ({ type: 'A' as const, name, data }));
      return Promise.resolve(dnsPacket.encode({ type: 'response', id: asked.id, questions: asked.questions, answers }));
    });
    running.push(server);
    const { answers } = await ask(await startGate([server.port]), 'web.demo.svc.cluster.local');
    expect(answers).toMatchObject([{ data: '10.43.0.7' }, { data: '100.64.1.1' }]);
  });

  test('answers the pods of others while those of one member wait for a zone that does not answer', async () => {
    const silent = await listenForDns(HOST, 0, () => Promise.resolve(undefined));
    running.push(silent);
    let asking = 0;
    const pods: OffloadedPods = {
      ...podOf,
      // Of many pods of one member, and then one of another.
      find: async () => ({ cluster: asking < 300 ? 'greedy' : 'other', namespace: 'demo', uid: `u${asking++ % 12}` }),
    };
    const port = await startGate([silent.port], pods);
    const slow = Array.from({ length: 300 }, (_, i) => ask(port, `n${i}.slow.example`).catch(() => undefined));
    await systemClock.sleep(300);
    asking = 300;
    // Over TCP: the socket's buffer may be full of the others' datagrams.
    const answer = await ask(port, 'kubernetes.default.svc.cluster.local', 'tcp');
    expect(answer).toMatchObject({ answers: [{ data: '10.96.8.8' }] });
    await Promise.allSettled(slow);
  });

  test("lets a fenced pod start when its home consents, also before the pod's address is known", async () => {
    const port = await startGate([], { ...podOf, find: () => Promise.resolve(undefined) });
    expect(await ask(port, gateName('allowed'))).toMatchObject({ code: 0, answers: [{ data: '127.0.0.1' }] });
    expect(await ask(port, gateName('other'))).toMatchObject({ code: 3, answers: [] });
  });

  test.each(['udp', 'tcp'] as const)('answers a name of the home cluster over %s', async (transport) => {
    const cluster = await startCluster();
    const port = await startGate([cluster.port]);
    const answer = await ask(port, 'web.demo.svc.cluster.local', transport);
    expect(answer).toMatchObject({ id: 5, answers: [{ name: 'web.demo.svc.cluster.local', data: '10.0.0.0' }] });
    expect(cluster.asked).toEqual(['udp web.demo-1.svc.cluster.local']);
  });

  test('does not ask for a Service that is not there, so that nobody notes that it is not', async () => {
    const cluster = await startCluster();
    const port = await startGate([cluster.port]);
    expect(await ask(port, 'later.demo.svc.cluster.local')).toMatchObject({ code: 3, answers: [] });
    expect(await ask(port, 'pod-0.later.demo.svc.cluster.local')).toMatchObject({ code: 3, answers: [] });
    expect(cluster.asked).toEqual([]);
  });

  test('tells the name of a new Service once it can be used', async () => {
    const cluster = await startCluster();
    const port = await startGate([cluster.port]);
    const start = performance.now();
    const answer = ask(port, 'new.demo.svc.cluster.local');
    // Others do not wait for that.
    expect(await ask(port, 'web.demo.svc.cluster.local')).toMatchObject({ code: 0 });
    expect(cluster.asked).toEqual(['udp web.demo-1.svc.cluster.local']);
    expect(await answer).toMatchObject({ answers: [{ name: 'new.demo.svc.cluster.local' }] });
    expect(performance.now() - start).toBeGreaterThan(NEW_FOR_MS - 5);
  });

  test('does not ask for what would be a Service of the provider', async () => {
    const cluster = await startCluster();
    const port = await startGate([cluster.port]);
    expect(await ask(port, 'db.prod.svc.cluster.local')).toMatchObject({ code: 3, answers: [] });
    expect(cluster.asked).toEqual([]);
  });

  describe('of the name of one pod among those that members share', () => {
    const ofPod = (cluster: string): string => `db-0.${cluster}.db.demo.svc.clusterset.local`;

    test('tells the addresses that are of its cluster, and that there is none without any', async () => {
      const port = await startGate([(await startAnswering(0, ['10.96.0.5', '10.96.0.6'])).port]);
      expect(await ask(port, ofPod('b'))).toMatchObject({
        code: 0,
        answers: [{ name: ofPod('b'), data: '10.96.0.5' }],
      });
      expect(await ask(port, ofPod('d'))).toMatchObject({ code: 3, answers: [] });
    });

    test('says of a kind of address that it does not have that it has none, not that it is not there', async () => {
      const port = await startGate([(await startAnswering(0, [])).port]);
      expect(await ask(port, ofPod('b'), 'udp', 'AAAA')).toMatchObject({ code: 0, answers: [] });
    });

    test.each([2, 3, 5])("passes on the code %i of the cluster's DNS", async (code) => {
      const port = await startGate([(await startAnswering(code, [])).port]);
      expect(await ask(port, ofPod('b'))).toMatchObject({ code, answers: [] });
    });
  });

  test("leads to the API server of the pod's home", async () => {
    const port = await startGate([]);
    expect(await ask(port, 'kubernetes.default.svc.cluster.local')).toMatchObject({ answers: [{ data: '10.96.8.8' }] });
  });

  test('passes on what has nothing to do with clusters', async () => {
    const cluster = await startCluster();
    const port = await startGate([cluster.port]);
    expect(await ask(port, 'example.org')).toMatchObject({ id: 5, answers: [{ name: 'example.org' }] });
  });

  test('gets a long answer whole, and tells the pod to come for it over TCP', async () => {
    const cluster = await startCluster(60);
    const port = await startGate([cluster.port]);
    expect(await ask(port, 'web.demo.svc.cluster.local')).toMatchObject({ flag_tc: true, answers: [] });
    expect((await ask(port, 'web.demo.svc.cluster.local', 'tcp')).answers).toHaveLength(60);
  });

  test('asks the second server when the first does not answer', async () => {
    const cluster = await startCluster();
    const port = await startGate([1, cluster.port]);
    expect((await ask(port, 'web.demo.svc.cluster.local')).answers).toHaveLength(1);
  });

  test('says that it failed when nobody answers', async () => {
    const port = await startGate([1]);
    expect(await ask(port, 'web.demo.svc.cluster.local')).toMatchObject({ code: 2 });
  });

  test('refuses everybody who is no offloaded pod', async () => {
    const cluster = await startCluster();
    const port = await startGate([cluster.port], { ...podOf, find: () => Promise.resolve(undefined) });
    expect(await ask(port, 'web.demo.svc.cluster.local')).toMatchObject({ code: 5 });
    expect(cluster.asked).toEqual([]);
  });
});
