import { stopAfterSeconds } from '../core/consumer-lost/consumer-lost-rule.ts';
import { failoverMsOf } from '../core/failover/failover-rule.ts';
import type { Pod } from '../core/kube-objects.ts';
import { lossSettingsFor } from '../core/loss-settings.ts';
import { FEDERATION_NAME } from '../core/membership/peer-object.ts';
import { offloadingKey } from '../core/offloading/namespace-offloading.ts';
import { type TokenSettings, tokensLeave } from '../core/offloading/token-rule.ts';
import type { StorageSettings } from '../core/volume/guest-volume.ts';
import { placesOf, podClaimsOf } from '../core/volume/pod-claims.ts';
import { createKubeClient, type KubeClient } from '../kube/client.ts';
import type { Peers } from '../peering/peers.ts';
import { createFairConnections } from '../runtime/fair-connections.ts';
import type { AgentParts } from './agent-parts.ts';
import type { Caches } from './caches.ts';
import { Evacuation } from './evacuation/evacuation.ts';
import { Failover } from './failover/failover.ts';
import { CallerCheck } from './kubelet-server/authentication.ts';
import { KUBELET_CONNECTIONS, KubeletServer } from './kubelet-server/kubelet-server.ts';
import { VirtualNodeStats } from './kubelet-server/node-stats.ts';
import { OffloadedNamespaces } from './offloading/offloaded-namespaces.ts';
import { Offloading } from './offloading/offloading.ts';
import { createOffloadingMap } from './offloading/offloading-map.ts';
import type { PeerAddresses, PodAddresses, PodFencing } from './ports.ts';
import { Rebalancer } from './rebalance/rebalancer.ts';
import { ServiceSender } from './service/service-sender.ts';
import { VirtualNodeController } from './virtual-node/virtual-nodes.ts';
import { createStorageCapacities } from './volume/storage-capacities.ts';
import { TravellingVolumes } from './volume/travelling-volumes.ts';

/** What this cluster needs to run its pods on peers: virtual nodes, the way there and back, and what is done when a peer is lost. */
export function composeConsumer(
  parts: AgentParts,
  own: {
    client: KubeClient;
    caches: Caches;
    peers: Peers;
    addresses: PeerAddresses & PodAddresses;
    fencing: PodFencing;
    countWrite(method: string, path: string, status: number): void;
  },
) {
  const { config, connection, clock, logger, random } = parts;
  const { client, caches, peers, addresses, fencing, countWrite } = own;
  const { pods, nodes } = caches;
  const callers = new CallerCheck({ client, clock });
  const connections = createFairConnections(KUBELET_CONNECTIONS);
  const virtualNodes = new VirtualNodeController({
    client,
    connectAs: ({ key, certificate }) =>
      createKubeClient(
        {
          server: connection.server,
          get ca() {
            return connection.ca;
          },
          key,
          cert: certificate,
        },
        clock,
        countWrite,
      ),
    nodes,
    pods,
    links: peers,
    fencing,
    createKubeletPort: (node, peerId) =>
      new KubeletServer({
        node,
        host: config.hostIp,
        clientCa: () => connection.ca ?? '',
        callers,
        pods,
        stats: new VirtualNodeStats({ node, nodes, pods, clock }),
        connections,
        link: () => peers.get(peerId),
        logger,
      }),
    hostIp: config.hostIp,
    agentNamespace: config.namespace,
    firstKubeletPort: config.firstKubeletPort,
    clock,
    logger,
  });
  const offloaded = new OffloadedNamespaces({ client, ...caches });
  const nodesSynced = async (): Promise<void> => {
    await Promise.all([nodes.whenSynced(), offloaded.whenSynced()]);
  };
  const services = new ServiceSender({
    client,
    pods,
    nodesSynced,
    nodes: virtualNodes,
    mayLeave: (pod) => offloaded.mayLeave(pod),
    links: peers,
    addresses,
    clock,
    logger,
  });
  const { offloadings, federations } = caches;
  const sendsTokens = (namespace: string): boolean =>
    tokensLeave(
      offloadings.get(offloadingKey(namespace))?.spec as TokenSettings | undefined,
      federations.get(FEDERATION_NAME)?.spec as TokenSettings | undefined,
    );
  const offloading = new Offloading({
    client,
    pods,
    nodesSynced,
    offloaded,
    services,
    fencing,
    links: peers,
    nodes: virtualNodes,
    identities: virtualNodes,
    addresses,
    hostIp: config.hostIp,
    tokensLeave: sendsTokens,
    claimsOf: (pod) => podClaimsOf(pod, (name) => caches.claims.get(`${pod.metadata.namespace}/${name}`)),
    stopAfterSeconds: (of) => {
      const { namespace, federation } = lossSettingsFor(of, caches);
      return stopAfterSeconds(namespace.consumerLost, federation.consumerLost);
    },
    clock,
    random,
    logger,
  });
  const storageSettings = () => federations.get(FEDERATION_NAME)?.spec?.storage as StorageSettings | undefined;
  const { claims, volumes, storageClasses: classes } = caches;
  const ofStorage = {
    client,
    classes,
    links: peers,
    settings: storageSettings,
    namespace: config.namespace,
    clock,
    logger,
  };
  const travellingVolumes = new TravellingVolumes({
    ...ofStorage,
    failoverMs: (of) => {
      const { namespace, federation } = lossSettingsFor(of, caches);
      return failoverMsOf(namespace.failover, federation.failover);
    },
    ...{ claims, volumes, nodes },
  });
  const capacities = createStorageCapacities({
    ...ofStorage,
    onSettings: (listener) => federations.onChange(listener),
  });
  const view = {
    claimOf: (namespace: string, name: string) => claims.get(`${namespace}/${name}`),
    volumeOf: (name: string) => volumes.get(name),
  };
  const isPinned = (pod: Pod): boolean => placesOf(pod, view).length > 0;
  const failover = new Failover({
    isPinned,
    pods,
    nodes,
    offloadings,
    federations,
    links: peers,
    identities: virtualNodes,
    fencing,
    clock,
    logger,
  });
  const evacuation = new Evacuation({
    isPinned,
    pods,
    links: peers,
    nodes: virtualNodes,
    identities: virtualNodes,
    clock,
    logger,
  });
  const rebalancer = new Rebalancer({
    client,
    pods,
    nodes,
    offloadings,
    federations,
    links: peers,
    identities: virtualNodes,
    clock,
    logger,
  });
  const offloadingMap = createOffloadingMap({ client, namespace: config.namespace, nodes, offloadings, clock, logger });
  return {
    tokensLeave: sendsTokens,
    virtualNodes,
    services,
    offloading,
    offloadingMap,
    failover,
    evacuation,
    rebalancer,
    travellingVolumes,
    capacities,
  };
}
