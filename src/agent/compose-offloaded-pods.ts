import { parseResolvConf } from '../core/dns/resolv-conf.ts';
import { ORIGIN_CLUSTER_LABEL } from '../core/labels.ts';
import { FEDERATION_NAME } from '../core/membership/peer-object.ts';
import { mayBePodAddress } from '../core/network/plan-network.ts';
import { type GuestLimitSettings, type MemberLimits, memberLimitsOf } from '../core/shadow-pod/member-limits.ts';
import { hasVariablesFromFiles } from '../core/shadow-pod/own-address.ts';
import { gatedBy } from '../core/shadow-pod/shadow-pod.ts';
import type { PodSurroundings } from '../core/shadow-pod/translate-pod.ts';
import type { KubeClient } from '../kube/client.ts';
import type { AgentParts } from './agent-parts.ts';
import type { Caches } from './caches.ts';

import { DnsGate } from './dns/dns-gate.ts';
import { KnownServices } from './dns/known-services.ts';
import { HomeApiGate } from './home-api/home-api-gate.ts';
import type { ExportedAddresses, HomeAddresses, PeerLinks, PodAddresses, PodLeases } from './ports.ts';
import { ServiceMirrors } from './service/service-mirrors.ts';
import { OffloadedPodIndex } from './shadow-pod/offloaded-pod-index.ts';

interface ComposedParts {
  client: KubeClient;
  caches: Caches;
  peers: PeerLinks;
  addresses: PodAddresses & HomeAddresses;
  leases: PodLeases;
  /** The pods of Services that this cluster exports. */
  exported: ExportedAddresses;
  /** ID of this member. */
  ownId: string;
}

/** The Services (manifests/) behind which the agent serves offloaded pods. */
export const DNS_SERVICE = 'headcut-dns';
export const HOME_API_SERVICE = 'headcut-home-api';
const DNS_PORT = 53;

/** What pods of peers find here as at home: Services, names, and the API server. */
export function composeForOffloadedPods(parts: AgentParts, composed: ComposedParts) {
  const { client, caches, peers, addresses, leases, exported, ownId } = composed;
  const { config, clock, logger, resolvConf } = parts;
  const { nodes, pods, shadowPods, mirrors: services, mirrorSlices: slices, ownServices } = caches;
  const { nameservers, clusterDomain } = parseResolvConf(resolvConf);
  const addressOf = (name: string): string | undefined =>
    ownServices.get(`${config.namespace}/${name}`)?.spec?.clusterIP;
  const homeApi = (): string | undefined => addressOf(HOME_API_SERVICE);
  const isPodAddress = (address: string): boolean => mayBePodAddress(nodes.list(), address);
  const index = new OffloadedPodIndex({ pods, shadowPods, isPodAddress, clock });
  const limits = (): MemberLimits => {
    const { guests } = (caches.federations.get(FEDERATION_NAME)?.spec ?? {}) as { guests?: GuestLimitSettings };
    return memberLimitsOf(guests?.perMember, caches.nodes.list());
  };
  const mirrors = new ServiceMirrors({
    client,
    services,
    slices,
    pods,
    shadowPods,
    links: peers,
    addresses,
    exported,
    clusterDomain,
    limits,
    clock,
    logger,
  });
  const servers = nameservers.map((host) => ({ host, port: DNS_PORT }));
  const mayStart = (uid: string): boolean => {
    const gated = gatedBy(uid, shadowPods.list());
    return gated.length > 0 && gated.every((shadow) => leases.mayStart(shadow));
  };
  const clusterOf = (address: string): string | undefined => {
    const member = addresses.memberOf(address);
    if (member !== undefined) return member;
    const pod = pods.list().find(({ status }) => status?.podIP === address);
    return pod && (pod.metadata.labels?.[ORIGIN_CLUSTER_LABEL] ?? ownId);
  };
  const known = new KnownServices({ services, clock });
  const dnsGate = new DnsGate({
    pods: index,
    services: known,
    servers,
    clusterDomain,
    clusterOf,
    homeApi,
    addresses,
    mayStart,
    clock,
    logger,
  });
  const homeApiGate = new HomeApiGate({ pods: index, links: peers, logger });
  const surroundings = (): PodSurroundings | undefined => {
    const nameserver = addressOf(DNS_SERVICE);
    const own = pods.get(`${config.namespace}/${config.podName}`)?.spec.containers[0];
    const variablesFromFiles = hasVariablesFromFiles(nodes.get(config.nodeName)?.status?.nodeInfo?.kubeletVersion);
    const { image, imagePullPolicy } = (own ?? {}) as { image?: string; imagePullPolicy?: string };
    return nameserver === undefined
      ? undefined
      : { nameserver, homeApi: homeApi(), clusterDomain, image, imagePullPolicy, variablesFromFiles };
  };
  return { mirrors, limits, dnsGate, homeApiGate, surroundings };
}
