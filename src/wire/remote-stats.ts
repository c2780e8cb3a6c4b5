import Type from 'typebox';
import { Check } from 'typebox/value';
import { CodedError } from '../core/coded-error.ts';
import type { RemotePodStats } from '../core/pod-stats/summary.ts';

const Usage = Type.Object({
  time: Type.String({ maxLength: 64 }),
  usageNanoCores: Type.Optional(Type.Number()),
  usageCoreNanoSeconds: Type.Optional(Type.Number()),
  workingSetBytes: Type.Optional(Type.Number()),
  usageBytes: Type.Optional(Type.Number()),
  rssBytes: Type.Optional(Type.Number()),
});
const Container = Type.Object({
  // It ends up in a text of metrics, which needs no escaping for names of Kubernetes.
  name: Type.String({ pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$', maxLength: 63 }),
  startTime: Type.Optional(Type.String({ maxLength: 64 })),
  cpu: Type.Optional(Usage),
  memory: Type.Optional(Usage),
});
const Stats = Type.Object({
  pods: Type.Array(
    Type.Object({
      uid: Type.String({ maxLength: 64 }),
      stats: Type.Object({
        cpu: Type.Optional(Usage),
        memory: Type.Optional(Usage),
        containers: Type.Optional(Type.Array(Container)),
      }),
    }),
  ),
});

/** The answer to ENDPOINTS.stats; more fields pass. Throws Internal when it is malformed. */
export function parseRemoteStats(answer: unknown): RemotePodStats[] {
  if (!Check(Stats, answer)) throw new CodedError('Internal', 'the peer answered malformed statistics');
  return (answer as { pods: RemotePodStats[] }).pods;
}
