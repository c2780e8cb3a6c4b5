/**
 * A Service as it travels from consumer to provider: just what a provider may act on, so that nothing of the consumer can
 * open ports, claim addresses or name load balancers there. Addresses are images: as every member but the pod's own sees them.
 */
export interface SentService {
  name: string;
  /** NodePort and LoadBalancer travel as ClusterIP: a peer must not open ports on somebody else's node. */
  type: 'ClusterIP' | 'Headless' | 'ExternalName';
  labels: Record<string, string>;
  /** Its IPv4 address at home, by which the consumer's pods know it. It travels beside the Service (`toSentState`). */
  clusterIP?: string;
  ports: SentServicePort[];
  externalName?: string;
  /** Session affinity by client address, for this long. */
  affinitySeconds?: number;
  publishNotReadyAddresses?: boolean;
  /** internalTrafficPolicy: Local. */
  localOnly?: boolean;
  endpoints: SentEndpoints[];
}

export interface SentServicePort {
  name?: string;
  port: number;
  protocol: Protocol;
  appProtocol?: string;
}

export type Protocol = 'TCP' | 'UDP' | 'SCTP';

/** Endpoints that have the same ports. */
export interface SentEndpoints {
  ports: SentEndpointPort[];
  endpoints: SentEndpoint[];
}

export interface SentEndpointPort {
  name?: string;
  port: number;
  protocol: Protocol;
  appProtocol?: string;
}

export interface SentEndpoint {
  address: string;
  ready: boolean;
  serving: boolean;
  terminating: boolean;
  /** Of pods with a hostname and a subdomain: their own DNS name. */
  hostname?: string;
}

/** IPv4 addresses by the names of Services. */
export type ServiceAddresses = Readonly<Record<string, string>>;

/** Services as they travel: members of a former build refuse fields of a Service that they do not know, not those beside it. */
export function toSentState(services: readonly SentService[]): {
  services: SentService[];
  serviceAddresses: ServiceAddresses;
} {
  const addresses = services.flatMap(({ name, clusterIP }) => (clusterIP === undefined ? [] : [[name, clusterIP]]));
  return {
    services: services.map(({ clusterIP: _, ...sent }) => sent),
    serviceAddresses: Object.fromEntries(addresses),
  };
}

/** The Services of what was sent. */
export function fromSentState(sent: {
  services: readonly SentService[];
  serviceAddresses?: ServiceAddresses;
}): SentService[] {
  const addresses = new Map(Object.entries(sent.serviceAddresses ?? {}));
  return sent.services.map((service) => {
    const clusterIP = service.type === 'ClusterIP' ? addresses.get(service.name) : undefined;
    return clusterIP === undefined ? service : { ...service, clusterIP };
  });
}

/** Why a Service is not as its consumer wants it on a provider. */
export interface ServiceProblem {
  service: string;
  reason: string;
  message: string;
}
