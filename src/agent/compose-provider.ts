import { type GuestSettings, type GuestTerms, guestTermsOf } from '../core/guest-pod/guest-terms.ts';
import type { ResourceList } from '../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../core/labels.ts';
import { FEDERATION_NAME } from '../core/membership/peer-object.ts';
import { offeredResources, whyClosed } from '../core/offer/compute-offer.ts';
import { type PeerUse, stricterLevel, useOf } from '../core/offer/peer-terms.ts';
import type { MemberLimits } from '../core/shadow-pod/member-limits.ts';
import type { PodSurroundings } from '../core/shadow-pod/translate-pod.ts';
import { twinNameAmong } from '../core/shadow-pod/twin-namespace.ts';
import { type StorageSettings, storageTermsOf } from '../core/volume/guest-volume.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Peers } from '../peering/peers.ts';
import type { SessionSource } from '../peering/serving.ts';
import type { AgentParts } from './agent-parts.ts';
import type { Caches } from './caches.ts';

import { createHomeContact } from './consumer-lost/home-contact.ts';
import { GuestVolumes } from './guest-volume/guest-volumes.ts';
import { createKeptVolumes } from './guest-volume/kept-volumes.ts';
import { Offers } from './offer/offers.ts';
import type { PodLeases } from './ports.ts';
import type { ServiceMirrors } from './service/service-mirrors.ts';
import { ShadowPods } from './shadow-pod/shadow-pods.ts';

/** What this cluster is for pods of other members. */
export function composeProvider(
  parts: AgentParts,
  own: {
    client: KubeClient;
    caches: Caches;
    peers: Peers;
    offloaded: { mirrors: ServiceMirrors; limits(): MemberLimits; surroundings(): PodSurroundings | undefined };
    leases: PodLeases;
  },
) {
  const { config, clock, logger } = parts;
  const { client, caches, peers, offloaded, leases } = own;
  const { pods, nodes, shadowPods: shadows, federations } = caches;
  const settings = (): Record<string, unknown> => federations.get(FEDERATION_NAME)?.spec ?? {};
  const reserve = (): ResourceList => (settings().reserve as ResourceList | undefined) ?? {};
  const terms = (): GuestTerms => guestTermsOf(settings() as GuestSettings, offeredResources(nodes.list()));
  const use = (peerId: string): PeerUse => {
    const name = peers.get(peerId)?.name;
    const peer = name === undefined ? undefined : caches.peers.get(name);
    return useOf(peer?.spec.id === peerId ? peer : { id: peerId }, federations.get(FEDERATION_NAME));
  };
  const guestVolumes = new GuestVolumes({
    client,
    claims: caches.claims,
    classes: caches.storageClasses,
    nodes,
    settings: () => settings().storage as StorageSettings | undefined,
    whyClosed: (peerId) => whyClosed(nodes.list(), settings().maintenance === true) ?? use(peerId).closed,
    twins: {
      nameOf: (origin) => twinNameAmong(shadows.list(), origin),
      ensure: (twin) => shadowPods.ensureTwin(twin),
    },
    clock,
  });
  const offers = new Offers({
    use,
    storage: guestVolumes,
    peers: caches.peers,
    pods,
    nodes,
    links: peers,
    reserve,
    guestShare: () => terms().containerLimits,
    maintenance: () => settings().maintenance === true,
    federations,
    clock,
  });
  const homes = createHomeContact({ links: peers, peers: caches.peers, clock });
  const shadowPods = new ShadowPods({
    client,
    pods,
    shadowPods: shadows,
    admission: offers,
    agent: { namespace: config.namespace, serviceAccount: config.serviceAccount },
    podSecurityLevel: (peerId) => stricterLevel(terms().podSecurityLevel, use(peerId).podSecurityLevel),
    terms,
    services: offloaded.mirrors,
    surroundings: offloaded.surroundings,
    limits: offloaded.limits,
    leases,
    homes,
    volumes: guestVolumes,
    membersKnown: () => caches.peers.whenSynced(),
    clock,
    logger,
  });
  const keptVolumes = createKeptVolumes({
    client,
    claims: caches.claims,
    homes,
    membersKnown: () => caches.peers.whenSynced(),
    keepMs: () => storageTermsOf(settings().storage as StorageSettings | undefined).keepMs,
    clock,
    logger,
  });
  caches.claims.onChange((_key, after, before) => {
    const { namespace, labels } = (after ?? before)?.metadata ?? {};
    if (namespace !== undefined && labels?.[ORIGIN_CLUSTER_LABEL] !== undefined) shadowPods.noteVolume(namespace);
  });
  const source: SessionSource = {
    offerFor: (peerId) => offers.offerFor(peerId),
    podsFor: (peerId) => shadowPods.podsFor(peerId),
    podFor: (peerId, uid) => shadowPods.podFor(peerId, uid),
    onChange: (listener) => {
      offers.onChange((peerId) => listener(peerId, 'offer'));
      shadowPods.onChange(listener);
    },
  };
  return { offers, shadowPods, guestVolumes, keptVolumes, source };
}
