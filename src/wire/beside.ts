import Type from 'typebox';
import type { NodeFence } from '../core/network/node-fence.ts';
import type { NodeNetwork, TunnelReport } from '../core/network/node-network.ts';
import { GUARD_PATHS, NETWORK_PATHS } from './beside-paths.ts';
import type { CallDefinition } from './definition.ts';
import { Empty, MIB } from './schemas.ts';

/**
 * The calls between the processes of one agent, by HTTP over Unix sockets of its node; no other member sees them. What serves them has
 * more rights than who asks, and is small: it reads bodies by parsers of its own, which write anew what gets into commands and rules,
 * and loads no compiler of schemas. Who asks checks what is answered.
 */

const Report = Type.Object({
  kind: Type.Union([Type.Literal('kernel'), Type.Literal('wireguard-go')]),
  mtu: Type.Number(),
  peers: Type.Array(
    Type.Object({
      publicKey: Type.String(),
      endpoint: Type.Optional(Type.String()),
      handshakeAt: Type.Optional(Type.Number()),
      receivedBytes: Type.Number(),
      sentBytes: Type.Number(),
    }),
  ),
  problems: Type.Optional(
    Type.Array(
      Type.Object({
        publicKey: Type.String(),
        reason: Type.Union([Type.Literal('InvalidEntry'), Type.Literal('InUse'), Type.Literal('EntryFailed')]),
        message: Type.String(),
      }),
    ),
  ),
});

const TunnelReported = Type.Unsafe<TunnelReport>(Report);

/** An answer takes a few commands of a few milliseconds; a loaded machine gets some more. */
const COMMANDS_WITHIN_MS = 20_000;
const network = { since: 1, errors: [], cost: 0, replyBytes: 4 * MIB, withinMs: COMMANDS_WITHIN_MS } as const;

/** What the agent asks of the process that may change the node's network. Of one build with it. */
export const NETWORK_CALLS = {
  network: {
    ...network,
    ...NETWORK_PATHS.network,
    purpose: 'The whole pod network that is wanted on the node; peers that are not made are named.',
    body: Type.Unsafe<NodeNetwork>(Type.Object({})),
    reply: TunnelReported,
  },
  report: {
    ...network,
    ...NETWORK_PATHS.report,
    purpose: 'What the tunnels are doing; nothing while there is no pod network.',
    reply: Type.Object({ report: Type.Optional(TunnelReported) }),
  },
  routes: {
    ...network,
    ...NETWORK_PATHS.routes,
    purpose: 'The networks within a range that the node has routes to beside ours.',
    query: Type.Object({ range: Type.String() }),
    reply: Type.Object({ routes: Type.Array(Type.String()) }),
  },
  fence: {
    ...network,
    ...NETWORK_PATHS.fence,
    purpose: 'What is closed to whom on the node, with a pod network and without.',
    body: Type.Unsafe<NodeFence>(Type.Object({})),
    reply: Empty,
  },
  remove: {
    ...network,
    ...NETWORK_PATHS.remove,
    purpose: 'Removes all that was ever made of the pod network.',
    reply: Empty,
  },
} as const satisfies Record<string, CallDefinition>;

const Leases = Type.Object({
  /** Ms of uptime, by cluster ID. */
  askedAt: Type.Record(Type.String(), Type.Number()),
  pods: Type.Array(
    Type.Object({
      namespace: Type.String(),
      name: Type.String(),
      uid: Type.String(),
      consumer: Type.String(),
      afterMs: Type.Number(),
    }),
  ),
});

/** What the agent asks of the guard of fenced pods, which may be of the build before or after it for a while. */
export const GUARD_CALLS = {
  leases: {
    ...GUARD_PATHS.leases,
    purpose: 'The fenced pods that run here, and when each home last let them go on; answered when that is kept.',
    since: 1,
    body: Leases,
    reply: Empty,
    replyBytes: MIB,
    withinMs: 2_000,
    errors: [],
    cost: 0,
  },
} as const satisfies Record<string, CallDefinition>;
