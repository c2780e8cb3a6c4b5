import Type from 'typebox';
import { LABEL_VALUE_PATTERN } from '../core/kube-names.ts';
import { MAX_ANNOTATION_CHARS, MAX_EXPORTED_ANNOTATIONS, MAX_EXPORTED_LABELS } from '../core/sharing/told-export.ts';
import { Label, Message, mapOf, QUALIFIED_NAME, Timestamp } from './schemas.ts';
import { Endpoints, Ports } from './service-schemas.ts';

/** What members tell each other of the Services that they export: closed, so that nothing but what is named here reaches an API server. */

const ExportedService = Type.Object(
  {
    namespace: Label,
    name: Label,
    since: Timestamp,
    type: Type.Union([Type.Literal('ClusterSetIP'), Type.Literal('Headless')]),
    ports: Ports,
    affinitySeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
    internalTrafficPolicy: Type.Optional(Type.Union([Type.Literal('Cluster'), Type.Literal('Local')])),
    trafficDistribution: Type.Optional(Type.String({ maxLength: 63, pattern: '^[A-Za-z]+$' })),
    ipFamilies: Type.Array(Type.Union([Type.Literal('IPv4'), Type.Literal('IPv6')]), { maxItems: 2 }),
    labels: mapOf(QUALIFIED_NAME, Type.String({ maxLength: 63, pattern: LABEL_VALUE_PATTERN }), MAX_EXPORTED_LABELS),
    annotations: mapOf(QUALIFIED_NAME, Type.String({ maxLength: MAX_ANNOTATION_CHARS }), MAX_EXPORTED_ANNOTATIONS),
    endpoints: Endpoints,
  },
  { additionalProperties: false },
);

const ExportName = Type.Object({ namespace: Label, name: Label }, { additionalProperties: false });

/** As many as a message of endpoints can have by its size. */
export const MAX_EXPORTS_TOLD = 200;

export const ExportsUpdate = Type.Object({
  begins: Type.Optional(Type.Literal(true)),
  ends: Type.Optional(Type.Literal(true)),
  exports: Type.Array(ExportedService, { maxItems: MAX_EXPORTS_TOLD }),
  gone: Type.Optional(Type.Array(ExportName, { maxItems: 2_000 })),
});

/** Exports that the callee does not take, and why. */
export const ExportRefusals = Type.Array(
  Type.Object({ namespace: Label, name: Label, reason: Type.String({ maxLength: 1024 }), message: Message }),
  { maxItems: MAX_EXPORTS_TOLD },
);
