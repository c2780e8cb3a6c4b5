import Type from 'typebox';
import { Label, Message, mapOf } from './schemas.ts';

/** What a consumer tells a provider of its Services: closed, so that nothing but what is named here reaches a provider's API server. */

const Protocol = Type.Union([Type.Literal('TCP'), Type.Literal('UDP'), Type.Literal('SCTP')]);
export const Ports = Type.Array(
  Type.Object(
    {
      name: Type.Optional(Type.String({ maxLength: 63 })),
      port: Type.Integer({ minimum: 1, maximum: 65_535 }),
      protocol: Protocol,
      appProtocol: Type.Optional(Type.String({ maxLength: 320 })),
    },
    { additionalProperties: false },
  ),
  { maxItems: 100 },
);

const Ipv4 = Type.String({ pattern: '^[0-9]{1,3}(\\.[0-9]{1,3}){3}$' });

const Endpoint = Type.Object(
  {
    address: Ipv4,
    ready: Type.Boolean(),
    serving: Type.Boolean(),
    terminating: Type.Boolean(),
    hostname: Type.Optional(Label),
  },
  { additionalProperties: false },
);

export const Endpoints = Type.Array(
  Type.Object({ ports: Ports, endpoints: Type.Array(Endpoint, { maxItems: 1_000 }) }, { additionalProperties: false }),
  { maxItems: 100 },
);

const SentService = Type.Object(
  {
    name: Label,
    type: Type.Union([Type.Literal('ClusterIP'), Type.Literal('Headless'), Type.Literal('ExternalName')]),
    // Any keys: they were on a Service at home.
    labels: mapOf('^[^\\x00-\\x1f]{1,317}$', Type.String({ maxLength: 63 }), 100),
    ports: Ports,
    externalName: Type.Optional(Type.String({ minLength: 1, maxLength: 253 })),
    affinitySeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
    publishNotReadyAddresses: Type.Optional(Type.Boolean()),
    localOnly: Type.Optional(Type.Boolean()),
    endpoints: Endpoints,
  },
  { additionalProperties: false },
);

export const Services = Type.Array(SentService, { maxItems: 500 });

/** By the names of Services: the addresses that they have at home. Beside them, as members of before refuse what they do not know in them. */
export const ServiceAddresses = mapOf('^[a-z0-9.-]{1,63}$', Ipv4, 500);

/** Why Services are not as their consumer wants them. */
export const ServiceProblems = Type.Array(
  Type.Object({
    service: Label,
    reason: Type.String({ maxLength: 1024 }),
    message: Message,
  }),
  { maxItems: 2_000 },
);
