import { randomBytes, randomUUID } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { join } from 'node:path';
import { FEDERATION_NAME } from '../core/membership/peer-object.ts';
import { NETWORK_SOCKET } from '../core/network/node-network.ts';
import { networkSettings } from '../core/network/plan-network.ts';
import { createKubeClient, type KubeClient } from '../kube/client.ts';
import { createDialing } from '../peering/dialing.ts';
import type { PeerHello } from '../peering/peer-connection.ts';
import { PeerServer } from '../peering/peer-server.ts';
import { Peers } from '../peering/peers.ts';
import { aborted } from '../runtime/aborted.ts';
import type { Controller } from '../runtime/controller.ts';
import { VERSION } from '../runtime/version.ts';
import { PROTOCOL_VERSION } from '../wire/endpoints.ts';
import { AdmissionWebhook } from './admission/admission-webhook.ts';
import type { AgentParts } from './agent-parts.ts';
import { type Caches, createCaches } from './caches.ts';
import { composeConsumer } from './compose-consumer.ts';
import { composeDiagnosis } from './compose-diagnosis.ts';
import { composeFencing } from './compose-fencing.ts';
import { composeForOffloadedPods, DNS_SERVICE, HOME_API_SERVICE } from './compose-offloaded-pods.ts';
import { composeProvider } from './compose-provider.ts';
import { composeSharing } from './compose-sharing.ts';
import type { AgentConfig } from './config.ts';
import type { DnsGate } from './dns/dns-gate.ts';
import { createMembershipStatus } from './federation/membership-status.ts';
import { createHealthServer, type HealthServer } from './health/health-server.ts';
import { peerFigures } from './health/peer-figures.ts';
import { History } from './history/history.ts';
import type { HomeApiGate } from './home-api/home-api-gate.ts';
import { createHomeApiStream } from './home-api/home-api-stream.ts';
import { loadIdentity } from './identity/identity.ts';
import { IdentityMemory } from './identity/identity-memory.ts';
import { KeyReplacement } from './identity/key-replacement.ts';
import { OwnRecord } from './identity/own-record.ts';
import { createInventory } from './inventory/inventory.ts';
import { createJoinDesk } from './joining/join-desk.ts';
import { createJoinRequests } from './joining/join-requests.ts';
import { leaveFederation } from './joining/leave.ts';
import { AdmissionGate } from './membership/admission-gate.ts';
import { Membership } from './membership/membership.ts';
import type { RemovedMember } from './membership/removed-members.ts';
import { createApiServers } from './network/api-servers.ts';
import { GuestFence } from './network/guest-fence.ts';
import { Namespaces } from './network/namespaces.ts';
import { Network } from './network/network.ts';
import { NetworkMemory } from './network/network-memory.ts';
import { NetworkState } from './network/network-state.ts';
import { NetworkStatus } from './network/network-status.ts';
import { NodeNetworkClient } from './network/node-network-client.ts';
import { PeerHosts } from './network/peer-hosts.ts';
import { PeerPaths } from './network/peer-paths.ts';
import { readServiceCidrs } from './network/service-cidrs.ts';
import { UdpProber } from './network/udp-prober.ts';
import { createPodsOnPeers } from './offloading/pods-on-peers.ts';
import { createKubeletStats } from './pod-stats/kubelet-stats.ts';
import { createStatsCalls } from './pod-stats/stats-calls.ts';
import { createPodStreamHandlers } from './pod-streams/pod-stream-handlers.ts';
import { createPodStreams } from './pod-streams/pod-streams.ts';
import { Rosters } from './roster/rosters.ts';
import { createServiceCalls } from './service/service-calls.ts';
import { TwinServices } from './service/twin-services.ts';
import { createPodCalls } from './shadow-pod/pod-calls.ts';
import { ExportedPods } from './sharing/exported-pods.ts';

export interface Agent {
  /** Works until `signal` aborts; then says goodbye to the peers and ends in order. Nothing remote is removed by that. */
  run(signal: AbortSignal): Promise<void>;
}

interface Runnable {
  run(signal: AbortSignal): Promise<void>;
}

/** Builds the whole agent: the only place that knows all of its parts. */
export async function composeAgent(parts: AgentParts): Promise<Agent> {
  const { config, connection, clock, logger } = parts;
  let health: HealthServer | undefined;
  const countWrite = (method: string, path: string, status: number): void => health?.countWrite(method, path, status);
  const client = createKubeClient(connection, clock, countWrite);
  const caches = createCaches({ client, namespace: config.namespace, clock, logger });
  const hello = { instance: randomUUID(), protocol: PROTOCOL_VERSION, version: VERSION };
  const members = await composeMembership(parts, { client, caches, hello });
  const { membership, rosters, identity, peers } = members;
  const exported = new ExportedPods();
  const network = await composeNetwork(parts, { client, caches, exported }, members);
  const addresses = network.state;
  const { leases, guardRights, grants, fencing } = composeFencing(parts, { client, caches, peers });
  const offloaded = composeForOffloadedPods(parts, {
    ...{ client, caches, peers, addresses, leases, exported },
    ownId: identity.id,
  });
  const provider = composeProvider(parts, { client, caches, peers, offloaded, leases });
  const consumer = composeConsumer(parts, { client, caches, peers, addresses, fencing, countWrite });
  const self = { id: identity.id, name: () => members.own.record().name };
  const sharing = composeSharing(parts, {
    ...{ client, caches, peers, addresses, exported, self },
    limits: offloaded.limits,
  });
  const homeApiStream = createHomeApiStream({
    pods: caches.pods,
    nodes: consumer.virtualNodes,
    isAllowed: (namespace) =>
      caches.federations.get(FEDERATION_NAME)?.spec?.homeApi?.enabled !== false && consumer.tokensLeave(namespace),
    apiServer: connection.server,
    clock,
  });
  const inventory = createInventory({
    client,
    namespace: config.namespace,
    ownId: identity.id,
    peers: caches.peers,
    versionOf: (peerId) => peers.get(peerId)?.offer?.nodeInfo.kubeletVersion,
    clock,
    logger,
  });
  const history = new History({ client, namespace: config.namespace, ...caches, version: VERSION, clock, logger });
  const diagnoser = composeDiagnosis({ ...parts, peers, network });
  const streams = createPodStreamHandlers(provider.shadowPods, createPodStreams(client));
  const own = { node: config.nodeName, address: config.hostIp };
  const stats = createKubeletStats({ client, pods: caches.pods, nodes: caches.nodes, own, clock });
  const server = new PeerServer({
    identity,
    hello,
    roster: rosters,
    peers,
    serving: {
      calls: {
        ...rosters.calls,
        ...createPodCalls(provider.shadowPods),
        ...provider.offers.calls,
        ...provider.guestVolumes.calls,
        ...createServiceCalls(offloaded.mirrors),
        ...sharing.calls,
        ...streams.calls,
        ...createStatsCalls(stats),
        ...grants.calls,
        ...diagnoser.calls,
      },
      streams: { packets: network.paths.serve, 'home-api': homeApiStream },
      podStream: streams.podStream,
      source: provider.source,
      join: createJoinDesk({
        ownId: identity.id,
        client,
        namespace: config.namespace,
        membership,
        roster: rosters,
        clock,
      }),
    },
    clock,
    logger,
  });
  const controllers: Controller[] = [
    members.status,
    members.joinRequests,
    inventory,
    history.controller,
    network.network.controller,
    network.status.controller,
    network.fence.controller,
    provider.shadowPods.controller,
    provider.keptVolumes.controller,
    guardRights,
    offloaded.mirrors.controller,
    consumer.services.controller,
    consumer.virtualNodes.controller,
    consumer.offloading.controller,
    consumer.offloadingMap,
    consumer.failover.controller,
    consumer.evacuation.controller,
    consumer.rebalancer.controller,
    ...sharing.controllers,
    consumer.travellingVolumes.controller,
    consumer.capacities,
  ];
  health = createHealthServer({
    unsynced: () => Object.entries(caches).flatMap(([name, cache]) => (cache.synced ? [] : [name])),
    controllers: () => controllers.map((controller) => controller.stats()),
    peers: () => peers.list().map(peerFigures),
    diagnose: () => diagnoser.look(),
    version: VERSION,
  });
  const runnables: Runnable[] = [
    ...Object.values(caches),
    { run: (signal) => peers.run(signal, server) },
    members.status,
    members.joinRequests,
    inventory,
    history,
    network.prober,
    network.paths,
    network.network,
    network.status.controller,
    network.fence,
    provider.offers,
    provider.shadowPods,
    provider.keptVolumes,
    guardRights,
    leases,
    offloaded.mirrors,
    consumer.services,
    consumer.virtualNodes,
    consumer.offloading,
    consumer.offloadingMap,
    consumer.failover,
    consumer.evacuation,
    consumer.rebalancer,
    sharing,
    consumer.travellingVolumes,
    consumer.capacities,
    new AdmissionWebhook({ client, host: config.hostIp, port: config.webhookPort, clock, logger }),
  ];
  const { dnsGate, homeApiGate } = offloaded;
  return {
    run: (signal) => runAll(runnables, { server, health, dnsGate, homeApiGate, client, config, caches }, signal),
  };
}

async function composeMembership(
  parts: AgentParts,
  { client, caches, hello }: { client: KubeClient; caches: Caches; hello: PeerHello },
) {
  const { config, clock, logger, random } = parts;
  const { namespace, nodeName, hostIp, peerPort } = config;
  const identity = await loadIdentity(client, namespace, clock);
  const memory = await IdentityMemory.load(client, namespace);
  const keys = await KeyReplacement.load(client, { namespace, identity, clock });
  const own = await OwnRecord.create({
    identity,
    defaults: { name: nodeName, endpoints: [`${hostIp.includes(':') ? `[${hostIp}]` : hostIp}:${peerPort}`] },
    load: async () => memory.record(),
    save: (record) => memory.saveRecord(record),
  });
  const { peers: objects, federations, joins } = caches;
  const gate = new AdmissionGate(() => federations.get(FEDERATION_NAME));
  const removed = {
    load: () => memory.removed() as RemovedMember[],
    save: (entries: RemovedMember[]) => memory.saveRemoved(entries),
  };
  const peers = new Peers({
    ownId: identity.id,
    dialing: createDialing({ identity, hello, clock }),
    ownPods: createPodsOnPeers(caches),
    synced: () => objects.synced,
    clock,
    random,
    logger,
  });
  const membership = new Membership({
    client,
    peers: objects,
    identity,
    own,
    ways: peers,
    clock,
    logger,
    removed,
    gate,
  });
  const rosters = new Rosters({ own, identity, members: membership, ways: peers, clock, logger });
  const common = { client, own, clock, logger };
  const status = createMembershipStatus({
    ...common,
    membership,
    leave: () => leaveFederation({ ...common, links: peers, membership }),
    ways: peers,
    peers: objects,
    federations,
    gate,
    keys: {
      replace: (request) => own.replaceKey(keys, request),
      replacedAt: () => keys.replacedAt(),
      dueRequest: () => keys.dueRequest(),
    },
    version: VERSION,
  });
  const joinRequests = createJoinRequests({ ...common, membership, links: peers, namespace, secrets: joins, identity });
  return { identity, membership, rosters, peers, own, status, joinRequests };
}

async function composeNetwork(
  parts: AgentParts,
  { client, caches, exported }: { client: KubeClient; caches: Caches; exported: ExportedPods },
  { rosters, peers: links, own }: { rosters: Rosters; peers: Peers; own: OwnRecord },
) {
  const { config, clock, logger } = parts;
  const { namespace, networkFolder, probePort } = config;
  const { nodes, pods, federations, peers } = caches;
  const [memory, serviceCidrs] = await Promise.all([
    NetworkMemory.load({ client, namespace, ownId: own.id }),
    readServiceCidrs(client),
  ]);
  const nonce = (): bigint => randomBytes(8).readBigUInt64BE();
  const prober = new UdpProber({ ...memory.keys, port: probePort, nonce, clock, logger });
  const paths = new PeerPaths({
    prober,
    links,
    wireGuardPort: () => networkSettings(federations.get(FEDERATION_NAME)?.spec).port,
    clock,
    logger,
    onChange: (peerId) => {
      network.touch();
      status.note(peerId);
    },
  });
  const state = new NetworkState({
    ownClaim: () => own.record().network,
    pathTo: (peerId) => paths.pathTo(peerId),
    isPathSettled: (peerId) => paths.isSettled(peerId),
  });
  const status = new NetworkStatus({ client, peers, federations, state, clock, logger });
  const resolve = async (host: string): Promise<string[]> =>
    (await lookup(host, { all: true })).map(({ address }) => address);
  const node = new NodeNetworkClient(join(networkFolder, NETWORK_SOCKET), clock);
  const namespaces = new Namespaces({ ...caches, exported });
  const homeServices = new TwinServices({
    services: caches.mirrors,
    slices: caches.mirrorSlices,
    ownServices: caches.ownServices,
    forAll: [DNS_SERVICE, HOME_API_SERVICE].map((name) => `${namespace}/${name}`),
    twinOf: (name) => namespaces.twinOf(name),
  });
  const fence = new GuestFence({
    node,
    nodes,
    pods,
    federations,
    namespaces,
    exported,
    ownClaim: () => own.record().network,
    ports: portsOf(config),
    apiServers: createApiServers(client, clock),
    serviceCidrs,
    clock,
    logger,
  });
  const network = new Network({
    memory,
    own,
    roster: rosters,
    links,
    nodes,
    pods,
    federations,
    namespaces,
    peersSynced: () => peers.whenSynced(),
    node,
    hosts: new PeerHosts({ resolve, onChange: () => network.touch(), clock }),
    paths,
    probePort,
    serviceCidrs,
    homeServices,
    state,
    onLook: () => status.noteAll(),
    clock,
    logger,
  });
  return { network, state, paths, prober, status, fence };
}

/** Those of the agent beside the peer port, which anybody may reach. */
function portsOf({ healthPort, webhookPort, dnsPort, homeApiPort, probePort }: AgentConfig) {
  const guests = { tcp: [dnsPort, homeApiPort], udp: [dnsPort] };
  return { guests, inner: { tcp: [healthPort, webhookPort], udp: [] }, probe: probePort };
}

async function runAll(
  runnables: Runnable[],
  parts: {
    server: PeerServer;
    health: HealthServer;
    dnsGate: DnsGate;
    homeApiGate: HomeApiGate;
    client: KubeClient;
    config: AgentConfig;
    caches: Caches;
  },
  signal: AbortSignal,
): Promise<void> {
  const { server, health, dnsGate, homeApiGate, client, config, caches } = parts;
  await health.listen(config.hostIp, config.healthPort);
  // Names first: pods that run here miss them most.
  await dnsGate.listen(config.hostIp, config.dnsPort);
  await homeApiGate.listen(config.hostIp, config.homeApiPort);
  const end = new AbortController();
  const running = Promise.all(runnables.map((one) => one.run(end.signal)));
  // Members are known before the door opens, or they would be turned away as strangers.
  await Promise.race([Promise.all([caches.peers.whenSynced(), caches.federations.whenSynced()]), aborted(signal)]);
  if (!signal.aborted) await server.listen(config.hostIp.includes(':') ? '::' : '0.0.0.0', config.peerPort);
  await Promise.race([aborted(signal), running]);
  await Promise.all([server.close(), homeApiGate.close()]);
  end.abort();
  await running;
  await dnsGate.close();
  await health.close();
  await client.close();
}
