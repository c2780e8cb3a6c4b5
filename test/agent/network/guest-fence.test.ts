import { afterEach, describe, expect, it } from 'vitest';
import { GuestFence } from '../../../src/agent/network/guest-fence.ts';
import { Namespaces } from '../../../src/agent/network/namespaces.ts';
import { ExportedPods } from '../../../src/agent/sharing/exported-pods.ts';
import type { KubeObject, Node, Pod } from '../../../src/core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, PEER_LABEL } from '../../../src/core/labels.ts';
import type { FederationObject } from '../../../src/core/membership/peer-object.ts';
import type { NodeFence } from '../../../src/core/network/node-fence.ts';
import type { NodeNetworkCall } from '../../../src/core/network/node-network.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { FakeStore } from '../../fake-store.ts';

let ended = new AbortController();
afterEach(() => ended.abort());

const pod = (name: string, podIP?: string, origin?: string): Pod => ({
  metadata: { name, namespace: 'n', labels: origin === undefined ? {} : { [ORIGIN_CLUSTER_LABEL]: origin } },
  spec: { containers: [], nodeName: 'here' } as unknown as Pod['spec'],
  status: { phase: 'Running', ...(podIP === undefined ? {} : { podIP }) },
});

function start(nodes: Node[]) {
  ended = new AbortController();
  const fences: NodeFence[] = [];
  const stores = {
    nodes: new FakeStore<Node>(nodes),
    pods: new FakeStore<Pod>([pod('own', '10.244.0.2')]),
    federations: new FakeStore<FederationObject>([{ metadata: { name: 'headcut' }, spec: {} }]),
  };
  const fence = new GuestFence({
    ...stores,
    namespaces: new Namespaces({
      nodes: stores.nodes,
      namespaces: new FakeStore<KubeObject>([]),
      offloadings: new FakeStore<KubeObject>([]),
      exported: new ExportedPods(),
    }),
    exported: new ExportedPods(),
    node: {
      generation: 1,
      ask: async (request: NodeNetworkCall) => {
        if (request.type === 'fence') fences.push(request.fence);
        return undefined;
      },
    },
    ownClaim: () => undefined,
    ports: { guests: { tcp: [7446], udp: [7446] }, inner: { tcp: [7444], udp: [] }, probe: 7445 },
    apiServers: async () => ['192.0.2.1/32'],
    serviceCidrs: ['10.96.0.0/12'],
    clock: systemClock,
    logger: silentLogger,
  });
  void fence.run(ended.signal);
  const latest = async (until: (one: NodeFence) => boolean): Promise<NodeFence> => {
    const deadline = Date.now() + 5_000;
    for (;;) {
      const last = fences.at(-1);
      if (last !== undefined && until(last)) return last;
      if (Date.now() > deadline) throw new Error(`not wanted: ${JSON.stringify(last)}`);
      await systemClock.sleep(5);
    }
  };
  return { ...stores, latest, fences };
}

const NODES: Node[] = [
  { metadata: { name: 'here' }, spec: { podCIDR: '10.244.0.0/24' } },
  {
    metadata: { name: 'headcut-b', labels: { [PEER_LABEL]: 'b' } },
    status: { daemonEndpoints: { kubeletEndpoint: { Port: 10_260 } } },
  },
];

describe('what is closed to guests', () => {
  it('is held before a guest has an address, and follows it', async () => {
    const { pods, latest } = start(NODES);
    expect(await latest(() => true)).toMatchObject({
      guests: [],
      residents: ['10.244.0.2'],
      strangers: false,
      access: 'Internet',
      innerPorts: { tcp: [7444, 10_260], udp: [] },
      insiders: ['192.0.2.1/32'],
    });
    pods.set(pod('guest', undefined, 'b'));
    await latest((one) => one.strangers);
    pods.set(pod('guest', '10.244.0.3', 'b'));
    expect((await latest((one) => !one.strangers)).guests).toEqual([['10.244.0.3']]);
    pods.delete('n/guest');
    await latest((one) => one.guests.length === 0);
  });

  it('is what the Federation says', async () => {
    const { federations, latest } = start(NODES);
    await latest(() => true);
    const network = { guestAccess: 'Federation', guestNetworks: ['192.168.7.0/24'], insiders: ['198.51.100.1/32'] };
    federations.set({ metadata: { name: 'headcut' }, spec: { network } });
    expect(await latest(({ access }) => access === 'Federation')).toMatchObject({
      open: ['192.168.7.0/24'],
      insiders: ['198.51.100.1/32', '192.0.2.1/32'],
    });
  });

  it('is left as it is where nobody knows which pods are here', async () => {
    const { fences } = start([{ metadata: { name: 'here' } }]);
    await systemClock.sleep(100);
    expect(fences).toEqual([]);
  });
});
