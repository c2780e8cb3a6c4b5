import type { Pod } from '../kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL, RESERVED_PREFIX, SOURCE_CLUSTER_LABEL } from '../labels.ts';
import { addressOfService } from './home-service.ts';
import type { SentEndpoint, SentEndpointPort, SentEndpoints, SentService, SentServicePort } from './sent-service.ts';
import {
  type Endpoint,
  type EndpointPort,
  type EndpointSlice,
  isHeadless,
  SERVICE_NAME_LABEL,
  type Service,
  type ServicePort,
} from './service-objects.ts';

export interface NamespaceServices {
  namespace: string;
  services: readonly Service[];
  slices: readonly EndpointSlice[];
  /** A pod of that namespace; undefined when there is none of this name. */
  pod(name: string): Pod | undefined;
  /** True for a pod that runs on a peer: the address it shows is an image already. */
  isOffloaded(pod: Pod): boolean;
  /** The image of the address of a pod here; undefined when other members cannot reach it. */
  toImage(local: string): string | undefined;
}

/** Bounds of one message; a provider refuses more. */
export const MAX_SERVICES = 500;
export const MAX_ENDPOINTS = 1000;
export const MAX_PORTS = 100;
export const MAX_LABELS = 100;
/** Sets of ports that differ from pod to pod. */
export const MAX_GROUPS = 100;

/** Where Kubernetes' own API server has its Service: it is no Service of a user, and pods find the API of their home by other means. */
const API_SERVICE = { namespace: 'default', name: 'kubernetes' };

/** Labels with which controllers and proxies of the consumer talk to each other. */
const CONTROL_LABEL = /^(service\.kubernetes\.io|endpoints\.kubernetes\.io)\//;

/**
 * What a provider is told of the Services of one namespace. The order of the input does not matter, so equal states are
 * equal texts. Endpoints that are no pods, or pods that others cannot reach, are left out.
 */
export function toSentServices(input: NamespaceServices): SentService[] {
  return input.services
    .filter((service) => service.metadata.deletionTimestamp === undefined)
    .filter(({ metadata }) => !(input.namespace === API_SERVICE.namespace && metadata.name === API_SERVICE.name))
    .sort((a, b) => compare(a.metadata.name, b.metadata.name))
    .slice(0, MAX_SERVICES)
    .map((service) => toSentService(service, input));
}

function toSentService(service: Service, input: NamespaceServices): SentService {
  const { spec = {} } = service;
  const external = spec.type === 'ExternalName';
  const affinity =
    spec.sessionAffinity === 'ClientIP' ? spec.sessionAffinityConfig?.clientIP?.timeoutSeconds : undefined;
  return {
    name: service.metadata.name,
    type: external ? 'ExternalName' : isHeadless(service) ? 'Headless' : 'ClusterIP',
    labels: Object.fromEntries(
      Object.entries(service.metadata.labels ?? {})
        .filter(([name]) => !name.startsWith(RESERVED_PREFIX) && !CONTROL_LABEL.test(name))
        .sort(([a], [b]) => compare(a, b))
        .slice(0, MAX_LABELS),
    ),
    ...(external || isHeadless(service) ? {} : optional('clusterIP', addressOfService(service))),
    ports: (spec.ports ?? []).slice(0, MAX_PORTS).map(toSentPort),
    ...(external && spec.externalName !== undefined ? { externalName: spec.externalName } : {}),
    ...(affinity === undefined ? {} : { affinitySeconds: affinity }),
    ...(spec.publishNotReadyAddresses === true ? { publishNotReadyAddresses: true } : {}),
    ...(spec.internalTrafficPolicy === 'Local' ? { localOnly: true } : {}),
    endpoints: external ? [] : toSentEndpoints(service, input),
  };
}

function toSentPort({ name, port, protocol = 'TCP', appProtocol }: ServicePort): SentServicePort {
  return { ...optional('name', name), port, protocol, ...optional('appProtocol', appProtocol) };
}

/** Slices with the same ports are one group: how the consumer's controller cut them says nothing to a provider. */
function toSentEndpoints(service: Service, input: NamespaceServices): SentEndpoints[] {
  const groups = new Map<string, SentEndpoints & { byAddress: Map<string, SentEndpoint> }>();
  const slices = input.slices.filter(
    (slice) => slice.addressType === 'IPv4' && slice.metadata.labels?.[SERVICE_NAME_LABEL] === service.metadata.name,
  );
  for (const slice of slices) {
    const ports = (slice.ports ?? []).flatMap(toSentEndpointPort).sort((a, b) => compare(portKey(a), portKey(b)));
    const key = ports.map(portKey).join();
    const group = groups.get(key) ?? { ports, endpoints: [], byAddress: new Map() };
    groups.set(key, group);
    const isImported = isOfImport(slice);
    for (const endpoint of (slice.endpoints ?? []).flatMap((one) => toSentEndpoint(one, { ...input, isImported }))) {
      // A pod stands in two slices for a moment while the controller moves it: what is ready counts.
      const known = group.byAddress.get(endpoint.address);
      if (known === undefined || (!known.ready && endpoint.ready)) group.byAddress.set(endpoint.address, endpoint);
    }
  }
  return [...groups]
    .sort(([a], [b]) => compare(a, b))
    .map(([, { ports, byAddress }]) => ({
      ports: ports.slice(0, MAX_PORTS),
      endpoints: [...byAddress.values()].sort((a, b) => compare(a.address, b.address)).slice(0, MAX_ENDPOINTS),
    }))
    .filter(({ endpoints }) => endpoints.length > 0)
    .slice(0, MAX_GROUPS);
}

/** True for a slice of an import, which the agent made. */
function isOfImport({ metadata: { labels = {} } }: EndpointSlice): boolean {
  return labels[SOURCE_CLUSTER_LABEL] !== undefined && labels[MANAGED_BY_LABEL] === MANAGED_BY;
}

function toSentEndpointPort({ name, port, protocol, appProtocol }: EndpointPort): SentEndpointPort[] {
  if (port === undefined || port === null) return [];
  return [
    {
      ...optional('name', name === '' ? undefined : name),
      port,
      protocol: protocol ?? 'TCP',
      ...optional('appProtocol', appProtocol),
    },
  ];
}

/** @param input with `isImported` for a slice of an import: its endpoints that are no pods here are images, which the agent has checked */
function toSentEndpoint(endpoint: Endpoint, input: NamespaceServices & { isImported: boolean }): SentEndpoint[] {
  const { conditions = {}, hostname, targetRef } = endpoint;
  const pod = targetRef?.kind === 'Pod' && targetRef.name !== undefined ? input.pod(targetRef.name) : undefined;
  const [address] = endpoint.addresses;
  const isElsewhere = pod === undefined ? input.isImported && targetRef === undefined : input.isOffloaded(pod);
  if (address === undefined || (pod === undefined && !isElsewhere)) return [];
  const image = isElsewhere ? address : input.toImage(address);
  if (image === undefined) return [];
  const ready = conditions.ready ?? true;
  return [
    {
      address: image,
      ready,
      serving: conditions.serving ?? ready,
      terminating: conditions.terminating ?? false,
      ...optional('hostname', hostname),
    },
  ];
}

function portKey({ name = '', port, protocol, appProtocol = '' }: SentEndpointPort): string {
  return `${name}/${port}/${protocol}/${appProtocol}`;
}

function optional<K extends string, V>(key: K, value: V | null | undefined): { [key in K]?: V } {
  return value === undefined || value === null ? {} : ({ [key]: value } as { [key in K]?: V });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
