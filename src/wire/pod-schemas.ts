import Type from 'typebox';
import type { ConfigObject, NodeInfo, Pod, PodStatus } from '../core/kube-objects.ts';
import type { PodUsage } from '../core/pod-stats/summary.ts';
import { Count, kubernetesObject, Label, Labels, Message, Name, Quantities, Reason, Text, Uid } from './schemas.ts';
import { ServiceAddresses, Services } from './service-schemas.ts';
import { OfferedClasses, PodClaims } from './volume-schemas.ts';

/** What a consumer and a provider say about pods and room. */

const ConfigKind = Type.Union([Type.Literal('ConfigMap'), Type.Literal('Secret')]);
const ConfigObjectSchema = kubernetesObject<ConfigObject>(
  Type.Object({
    kind: ConfigKind,
    metadata: Type.Object({ name: Name }),
  }),
);
export const ConfigObjects = Type.Array(ConfigObjectSchema, { maxItems: 200 });
export const ObjectReferences = Type.Array(Type.Object({ kind: ConfigKind, name: Name }), { maxItems: 200 });

export const SentPod = kubernetesObject<Pod>(
  Type.Object({
    metadata: Type.Object({ name: Name, namespace: Label, uid: Uid }),
    spec: Type.Object({ containers: Type.Array(Type.Object({ name: Type.String() }), { minItems: 1 }) }),
  }),
);

const Fencing = Type.Object({ afterSeconds: Type.Integer({ minimum: 1, maximum: 86_400 }) });

export const PodSubmission = Type.Object({
  pod: SentPod,
  virtualNode: Type.String({ maxLength: 253 }),
  hostIP: Type.Optional(Type.String({ maxLength: 45, pattern: '^[0-9A-Fa-f.:]+$' })),
  objects: ConfigObjects,
  ahead: Type.Optional(ObjectReferences),
  services: Type.Optional(Services),
  serviceAddresses: Type.Optional(ServiceAddresses),
  fencing: Type.Optional(Fencing),
  consumerLost: Type.Optional(Type.Object({ stopAfterSeconds: Type.Integer({ minimum: 1, maximum: 2_592_000 }) })),
  claims: Type.Optional(PodClaims),
});

const RefusalKind = Type.Union([Type.Literal('room'), Type.Literal('policy'), Type.Literal('later')]);

export const PodVerdict = Type.Union([
  Type.Object({ accepted: Type.Literal(true) }),
  Type.Object({ accepted: Type.Literal(false), kind: RefusalKind, reason: Reason, message: Message }),
]);

const Named = Type.Array(Type.Object({ name: Name }), { maxItems: 1_000 });

const PodStatusSchema = kubernetesObject<PodStatus>(
  Type.Object({
    phase: Type.Optional(
      Type.Union(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'].map((phase) => Type.Literal(phase))),
    ),
    reason: Type.Optional(Type.String()),
    message: Type.Optional(Type.String()),
    conditions: Type.Optional(
      Type.Array(Type.Object({ type: Type.String({ maxLength: 316 }), status: Type.String({ maxLength: 16 }) }), {
        maxItems: 200,
      }),
    ),
    containerStatuses: Type.Optional(Named),
    initContainerStatuses: Type.Optional(Named),
    ephemeralContainerStatuses: Type.Optional(Named),
    startTime: Type.Optional(Type.String({ maxLength: 64 })),
    podIP: Type.Optional(Type.String({ maxLength: 64 })),
    podIPs: Type.Optional(Type.Array(Type.Object({ ip: Type.String({ maxLength: 64 }) }), { maxItems: 16 })),
  }),
);

/** The state of one offloaded pod on its provider. */
export const RemotePod = Type.Object({
  uid: Uid,
  namespace: Label,
  name: Name,
  deleting: Type.Boolean(),
  status: Type.Optional(PodStatusSchema),
  fencing: Type.Optional(Fencing),
  digest: Type.Optional(Text),
  refusal: Type.Optional(Type.Object({ kind: RefusalKind, reason: Reason, message: Message })),
  events: Type.Optional(
    Type.Array(
      Type.Object({
        id: Text,
        type: Type.String({ maxLength: 64 }),
        reason: Reason,
        message: Message,
        count: Count,
        lastTimestamp: Type.String({ maxLength: 64 }),
      }),
      { maxItems: 100 },
    ),
  ),
});

const InfoText = Type.Optional(Text);

/** What a provider offers to one consumer. */
export const Offer = Type.Object({
  capacity: Quantities,
  allocatable: Quantities,
  nodeInfo: kubernetesObject<NodeInfo>(
    Type.Object({
      architecture: InfoText,
      operatingSystem: InfoText,
      osImage: InfoText,
      kernelVersion: InfoText,
      kubeletVersion: InfoText,
      containerRuntimeVersion: InfoText,
    }),
  ),
  labels: Labels,
  accepting: Type.Boolean(),
  reason: Type.Optional(Message),
  running: Type.Optional(Type.Boolean()),
  evacuate: Type.Optional(Type.Boolean()),
  storage: Type.Optional(OfferedClasses),
});

const Amount = Type.Optional(Type.Number({ minimum: 0 }));
const Usage = Type.Object({
  time: Type.String({ maxLength: 64 }),
  usageNanoCores: Amount,
  usageCoreNanoSeconds: Amount,
  workingSetBytes: Amount,
  usageBytes: Amount,
  rssBytes: Amount,
});
const ContainerUsage = Type.Object({
  // It ends up in a text of metrics, which needs no escaping for names of Kubernetes.
  name: Label,
  startTime: Type.Optional(Type.String({ maxLength: 64 })),
  cpu: Type.Optional(Usage),
  memory: Type.Optional(Usage),
});

/** What the caller's pods use: as a kubelet's summary, more fields pass. */
export const PodStatsReply = Type.Object({
  pods: Type.Array(
    Type.Object({
      uid: Uid,
      stats: kubernetesObject<PodUsage>(
        Type.Object({
          cpu: Type.Optional(Usage),
          memory: Type.Optional(Usage),
          containers: Type.Optional(Type.Array(ContainerUsage, { maxItems: 1_000 })),
        }),
      ),
    }),
    { maxItems: 10_000 },
  ),
});
