import Type from 'typebox';

/** The peer protocol, once: what the server serves, the client calls, and tests and docs go through. */

/**
 * 3: members compare digests of their rosters; a session that does not ask for them gets whole rosters, as in 2.
 * 4: keys can be replaced; members of before know a member by its first key alone.
 * 5: the question for a lease names the pods that it is for.
 */
export const PROTOCOL_VERSION = 5;
/** Members that speak less than this do not follow a key that is replaced. */
export const KEY_REPLACEMENT_PROTOCOL = 4;
/** Members that speak less than this may overlook that a pod is to be fenced. */
export const FENCING_PROTOCOL = 4;
/** Members that speak less than this are asked for a lease without naming pods. */
export const NAMED_LEASE_PROTOCOL = 5;

/** TLS server names: which of the two doors of the peer port a client wants. */
export const JOIN_SERVER_NAME = 'join.headcut';
export const PEER_SERVER_NAME = 'peer.headcut';

const MIB = 1024 * 1024;

const Uid = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9-]+$' });
const Label = Type.String({ minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$' });
const Base64 = Type.String({ maxLength: 8192 });
/** With as many replaced keys as there can be (core/membership/member-keys). */
const Certificate = Type.String({ maxLength: 12_288 });

const Ipv4Network = Type.String({ maxLength: 18, pattern: '^([0-9]{1,3}\\.){3}[0-9]{1,3}/[0-9]{1,2}$' });

const NetworkClaimSchema = Type.Object({
  publicKey: Type.String({ pattern: '^[A-Za-z0-9+/]{43}=$' }),
  port: Type.Integer({ minimum: 1, maximum: 65_535 }),
  podCidr: Ipv4Network,
  prefix: Ipv4Network,
  since: Type.Integer({ minimum: 0 }),
});

export const PeerRecordSchema = Type.Object({
  id: Type.String({ pattern: '^[a-z2-7]{52}$' }),
  name: Label,
  endpoints: Type.Array(Type.String({ maxLength: 300 }), { minItems: 1, maxItems: 16 }),
  certificate: Certificate,
  incarnation: Type.Integer({ minimum: 1 }),
  protocol: Type.Integer({ minimum: 1 }),
  network: Type.Optional(NetworkClaimSchema),
  signature: Base64,
  left: Type.Optional(Type.Literal(true)),
  vouch: Type.Optional(Type.Object({ by: Type.String({ maxLength: 64 }), signature: Base64 })),
});

/** Objects of Kubernetes: only what we read is described, everything else passes. */
const KubeObjectSchema = Type.Object({
  metadata: Type.Object({ name: Type.String({ minLength: 1, maxLength: 253 }) }, { additionalProperties: true }),
});
const ConfigObjectSchema = Type.Intersect([
  KubeObjectSchema,
  Type.Object({ kind: Type.Union([Type.Literal('ConfigMap'), Type.Literal('Secret')]) }),
]);
const PodSchema = Type.Object({
  metadata: Type.Object({ name: Type.String({ minLength: 1, maxLength: 253 }), namespace: Label, uid: Uid }),
  spec: Type.Object({ containers: Type.Array(Type.Object({ name: Type.String() }), { minItems: 1 }) }),
});

const Protocol = Type.Union([Type.Literal('TCP'), Type.Literal('UDP'), Type.Literal('SCTP')]);
const PortNumber = Type.Integer({ minimum: 1, maximum: 65_535 });
const PortName = Type.Optional(Type.String({ maxLength: 63 }));
const ServicePorts = Type.Array(
  Type.Object(
    {
      name: PortName,
      port: PortNumber,
      protocol: Protocol,
      appProtocol: Type.Optional(Type.String({ maxLength: 320 })),
    },
    { additionalProperties: false },
  ),
  { maxItems: 100 },
);

/** SentService of core: closed, so that nothing but what is named here reaches a provider's API server. */
const ServiceSchema = Type.Object(
  {
    name: Label,
    type: Type.Union([Type.Literal('ClusterIP'), Type.Literal('Headless'), Type.Literal('ExternalName')]),
    labels: Type.Record(Type.String(), Type.String({ maxLength: 63 }), { maxProperties: 100 }),
    ports: ServicePorts,
    externalName: Type.Optional(Type.String({ minLength: 1, maxLength: 253 })),
    affinitySeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
    publishNotReadyAddresses: Type.Optional(Type.Boolean()),
    localOnly: Type.Optional(Type.Boolean()),
    endpoints: Type.Array(
      Type.Object(
        {
          ports: ServicePorts,
          endpoints: Type.Array(
            Type.Object(
              {
                address: Type.String({ pattern: '^[0-9]{1,3}(\\.[0-9]{1,3}){3}$' }),
                ready: Type.Boolean(),
                serving: Type.Boolean(),
                terminating: Type.Boolean(),
                hostname: Type.Optional(Label),
              },
              { additionalProperties: false },
            ),
            { maxItems: 1000 },
          ),
        },
        { additionalProperties: false },
      ),
      { maxItems: 100 },
    ),
  },
  { additionalProperties: false },
);

const ServicesSchema = Type.Array(ServiceSchema, { maxItems: 500 });

export interface Endpoint {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  path: string;
  body?: object;
  params?: object;
  /** Largest body in bytes. */
  bodyLimit: number;
}

const UidParams = Type.Object({ uid: Uid });

export const ENDPOINTS = {
  join: {
    method: 'POST',
    path: '/join',
    bodyLimit: 64 * 1024,
    body: Type.Object({
      record: PeerRecordSchema,
      invitation: Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-z0-9]+$' }),
      secret: Type.String({ minLength: 1, maxLength: 256 }),
      signature: Base64,
    }),
  },
  /**
   * With `roster=digest`: the session says digests of the roster, not the roster. With `reach=changes`: it says once whom this
   * member reaches, and then what changes.
   */
  session: { method: 'GET', path: '/v1/session', bodyLimit: 1024 },
  roster: {
    method: 'POST',
    path: '/v1/roster',
    bodyLimit: MIB,
    body: Type.Object({ records: Type.Array(PeerRecordSchema, { maxItems: 500 }) }),
  },
  /** What the caller lacks of the callee's roster: RosterDifference. */
  rosterDifference: {
    method: 'POST',
    path: '/v1/roster/difference',
    bodyLimit: 64 * 1024,
    body: Type.Object({
      versions: Type.Record(Type.String(), Type.Integer({ minimum: 1 }), {
        maxProperties: 1_200,
        propertyNames: { maxLength: 16 },
      }),
    }),
  },
  submitPod: {
    method: 'PUT',
    path: '/v1/pods/:uid',
    bodyLimit: 8 * MIB,
    params: UidParams,
    body: Type.Object({
      pod: PodSchema,
      virtualNode: Type.String({ maxLength: 253 }),
      hostIP: Type.Optional(Type.String({ maxLength: 45, pattern: '^[0-9A-Fa-f.:]+$' })),
      objects: Type.Array(ConfigObjectSchema, { maxItems: 200 }),
      services: Type.Optional(ServicesSchema),
      fencing: Type.Optional(Type.Object({ afterSeconds: Type.Integer({ minimum: 1, maximum: 86_400 }) })),
      consumerLost: Type.Optional(Type.Object({ stopAfterSeconds: Type.Integer({ minimum: 1, maximum: 2_592_000 }) })),
    }),
  },
  /**
   * May the caller go on with these fenced pods of the callee? An answer is a yes, from the moment of the question on, but for those
   * that it names.
   */
  lease: {
    method: 'POST',
    path: '/v1/lease',
    bodyLimit: 256 * 1024,
    body: Type.Union([Type.Null(), Type.Object({ pods: Type.Array(Uid, { maxItems: 5_000 }) })]),
  },
  /** What the owner changed of a pod since it was submitted. */
  updatePod: {
    method: 'PUT',
    path: '/v1/pods/:uid/changes',
    bodyLimit: 8 * MIB,
    params: UidParams,
    body: Type.Object({ pod: PodSchema }),
  },
  deletePod: { method: 'DELETE', path: '/v1/pods/:uid', bodyLimit: 1024, params: UidParams },
  updateObjects: {
    method: 'PUT',
    path: '/v1/namespaces/:namespace/objects',
    bodyLimit: 8 * MIB,
    params: Type.Object({ namespace: Label }),
    body: Type.Object({
      objects: Type.Array(ConfigObjectSchema, { maxItems: 200 }),
      /** Those that are no more. Members of earlier versions do not say, and do not read it. */
      gone: Type.Optional(
        Type.Array(
          Type.Object({
            kind: Type.Union([Type.Literal('ConfigMap'), Type.Literal('Secret')]),
            name: Type.String({ minLength: 1, maxLength: 253 }),
          }),
          { maxItems: 200 },
        ),
      ),
    }),
  },
  updateServices: {
    method: 'PUT',
    path: '/v1/namespaces/:namespace/services',
    bodyLimit: 8 * MIB,
    params: Type.Object({ namespace: Label }),
    body: Type.Object({ services: ServicesSchema }),
  },
  /** What the caller's pods use; with `only_cpu_and_memory=true` as in a kubelet's summary. */
  stats: { method: 'GET', path: '/v1/stats', bodyLimit: 1024 },
  logs: { method: 'GET', path: '/v1/pods/:uid/logs/:container', bodyLimit: 1024 },
  /** How the callee reaches the endpoints in the caller's record: `{ endpoints: EndpointReach[] }`. */
  reach: { method: 'GET', path: '/v1/reach', bodyLimit: 1024 },
} as const satisfies Record<string, Endpoint>;

/** Upgrades (exec, attach, portforward) are not routes of a framework: the path is parsed here. */
export function parseUpgradePath(
  target: string,
): { uid: string; action: 'exec' | 'attach' | 'portforward'; query: URLSearchParams } | undefined {
  const url = new URL(target, 'https://peer');
  const match = /^\/v1\/pods\/([A-Za-z0-9-]{1,64})\/(exec|attach|portforward)$/.exec(url.pathname);
  if (match === null) return undefined;
  return { uid: match[1] ?? '', action: match[2] as 'exec', query: url.searchParams };
}

/** What `Upgrade` names on a raw stream between two agents. */
export const STREAM_PROTOCOL = 'headcut-stream';

/** To a third member, with `to`: join this stream with one to that member. */
export const RELAY_STREAM = 'relay';
/** From a third member, with `from`: what comes over this stream is a connection to the peer port. */
export const RELAYED_STREAM = 'relayed';

export function streamPath(name: string, query: URLSearchParams): string {
  return `/v1/streams/${encodeURIComponent(name)}?${query}`;
}

/** The raw stream that an upgrade asks for, or undefined when it asks for something else. */
export function parseStreamPath(target: string): { name: string; query: URLSearchParams } | undefined {
  const url = new URL(target, 'https://peer');
  const name = /^\/v1\/streams\/([a-z-]{1,40})$/.exec(url.pathname)?.[1];
  return name === undefined ? undefined : { name, query: url.searchParams };
}

/** A path with its parameters filled in. */
export function toPath(path: string, params: Record<string, string>): string {
  return path.replace(/:([a-z]+)/g, (_whole, name: string) => encodeURIComponent(params[name] ?? ''));
}

/** The body of every answer that is an error. */
export interface WireError {
  code: string;
  message: string;
}
