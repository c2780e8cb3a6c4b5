import type { Pod } from '../core/kube-objects.ts';
import { PEER_LABEL } from '../core/labels.ts';
import { FEDERATION_NAME } from '../core/membership/peer-object.ts';
import type { ServiceLimits } from '../core/service/service-limits.ts';
import type { EndpointSlice, Service } from '../core/service/service-objects.ts';
import {
  IMPORT_LABEL,
  type ServiceExport,
  type ServiceImport,
  SHARED_NAME_LABEL,
} from '../core/sharing/sharing-objects.ts';
import { type Direction, mayShare, type SharingSettings } from '../core/sharing/sharing-rule.ts';
import type { KubeClient } from '../kube/client.ts';
import { Reflector } from '../kube/reflector.ts';
import { ENDPOINT_SLICES, SERVICE_EXPORTS, SERVICE_IMPORTS, SERVICES } from '../kube/resources.ts';
import type { AgentParts } from './agent-parts.ts';
import type { Caches } from './caches.ts';
import type { PeerLink, PeerLinks, PodAddresses } from './ports.ts';
import { ExportTeller } from './sharing/export-teller.ts';
import type { ExportedPods } from './sharing/exported-pods.ts';
import { KnownExports } from './sharing/known-exports.ts';
import { OwnExports } from './sharing/own-exports.ts';
import { ServiceImports } from './sharing/service-imports.ts';
import { createSharingCalls } from './sharing/sharing-calls.ts';
import { ToldExports } from './sharing/told-exports.ts';
import { whenKindsServed } from './sharing/when-served.ts';

interface ComposedParts {
  client: KubeClient;
  caches: Caches;
  peers: PeerLinks;
  addresses: PodAddresses;
  exported: ExportedPods;
  self: { id: string; name(): string };
  /** What each other member may have here. */
  limits(): ServiceLimits;
}

/** Services that members export to each other (multicluster.x-k8s.io): what is told, and what is imported. */
export function composeSharing(parts: AgentParts, composed: ComposedParts) {
  const { clock, logger } = parts;
  const { client, caches, peers: links, addresses, exported, self, limits } = composed;
  const { namespaces, nodes, pods, federations } = caches;
  const common = { client, clock, logger };
  const exports = new Reflector<ServiceExport>({ ...common, type: SERVICE_EXPORTS });
  const imports = new Reflector<ServiceImport>({ ...common, type: SERVICE_IMPORTS });
  const services = new Reflector<Service>({ ...common, type: SERVICES, labelSelector: IMPORT_LABEL });
  const slices = new Reflector<EndpointSlice>({ ...common, type: ENDPOINT_SLICES, labelSelector: SHARED_NAME_LABEL });
  const settings = (): SharingSettings =>
    (federations.get(FEDERATION_NAME)?.spec?.services as SharingSettings | undefined) ?? {};
  const may = (direction: Direction, namespace: string, { id, name }: PeerLink): boolean => {
    const { labels = {} } = caches.peers.get(name)?.metadata ?? {};
    return mayShare(direction, namespaces.get(namespace), { id, labels }, settings());
  };
  const isOffloaded = (pod: Pod): boolean =>
    caches.nodes.get(pod.spec.nodeName ?? '')?.metadata.labels?.[PEER_LABEL] !== undefined;
  const own = new OwnExports({ ...common, exports, namespaces, nodes, pods, isOffloaded, addresses, exported });
  const known = new KnownExports(clock, limits);
  const mayTell = (namespace: string, link: PeerLink): boolean => may('export', namespace, link);
  const told = new ToldExports(own);
  const teller = new ExportTeller({ own: told, mayTell, links, clock, logger });
  const mayImport = (namespace: string, link: PeerLink): boolean => may('import', namespace, link);
  const computed = new ServiceImports({
    ...common,
    ...{ own, known, exports, imports, services, slices, namespaces, pods, links, addresses, self, mayImport },
    problemOf: (key) => teller.problemOf(key),
  });
  teller.onProblem((key) => computed.look(key));
  const lookAgain = (): void => {
    teller.lookAgain();
    computed.lookAgain();
  };
  federations.onChange((_name, after, before) => {
    if (JSON.stringify(after?.spec?.services) !== JSON.stringify(before?.spec?.services)) lookAgain();
  });
  caches.peers.onChange((_name, after, before) => {
    if (JSON.stringify(after?.metadata.labels) !== JSON.stringify(before?.metadata.labels)) lookAgain();
  });
  const working = [exports, imports, services, slices, own, computed];
  return {
    calls: createSharingCalls(known),
    controllers: [own.controller, teller.controller, computed.controller],
    run: async (signal: AbortSignal): Promise<void> => {
      const served = whenKindsServed({ ...common, onMissing: () => told.becomeNone() }, signal);
      const work = served.then(async () => {
        told.becomeOwn();
        if (!signal.aborted) await Promise.all(working.map((one) => one.run(signal)));
      });
      await Promise.all([teller.run(signal), work]);
    },
  };
}
