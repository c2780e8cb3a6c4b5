import { createHash } from 'node:crypto';
import { isEqual } from '../is-equal.ts';
import { isReady, type Pod } from '../kube-objects.ts';
import {
  HOME_ADDRESS_ANNOTATION,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  ORIGIN_CLUSTER_LABEL,
  ORIGIN_NAMESPACE_LABEL,
} from '../labels.ts';

import type { SentEndpoint, SentEndpoints, SentService } from './sent-service.ts';
import {
  type Endpoint,
  type EndpointSlice,
  HEADLESS_LABEL,
  isHeadless,
  SERVICE_NAME_LABEL,
  type Service,
  SLICE_MANAGER,
  SLICE_MANAGER_LABEL,
} from './service-objects.ts';

/** What is known on the provider of the Services of one namespace of one consumer. */
export interface MirrorObservation {
  origin: { cluster: string; namespace: string };
  clusterDomain: string;
  wanted: readonly SentService[];
  /** The twin of a namespace of this consumer, whether it is there or not. */
  twinOf(namespace: string): string;
  /** Our own objects in the twin namespace. */
  services: readonly Service[];
  slices: readonly EndpointSlice[];
  /** The address here of a pod of this cluster that others know by `image`; undefined when it is no image of ours. */
  toLocal(image: string): string | undefined;
  /** A running pod here that belongs to this consumer, by its address. */
  podAt(local: string): Pod | undefined;
  /** True for a pod of this cluster, by its address, that an exported Service of this cluster leads to: all members may reach it. */
  isExported(local: string): boolean;
  /** True for an address in the claim of a member that can be reached from here. */
  isReachable(image: string): boolean;
}

export type MirrorAction =
  | { type: 'create-service'; service: Service }
  | { type: 'update-service'; patch: Record<string, unknown>; service: Service }
  | { type: 'delete-service'; service: Service }
  | { type: 'create-slice'; slice: EndpointSlice }
  | { type: 'replace-slice'; slice: EndpointSlice }
  | { type: 'delete-slice'; slice: EndpointSlice };

/** The API server's own limit for one EndpointSlice. */
const ENDPOINTS_PER_SLICE = 1000;
/** Longest name of a slice, less the hash. */
const MAX_SLICE_PREFIX = 240;

/**
 * What makes the Services of a twin namespace equal to their origin's. Services come before their endpoints, and whatever is
 * to go goes last. Planning again after it was done gives nothing.
 */
export function planMirrors(observed: MirrorObservation): MirrorAction[] {
  const wanted = observed.wanted.map((sent) => toMirrorService(sent, observed));
  const slices = observed.wanted.flatMap((sent) => toMirrorSlices(sent, observed));
  const present = new Map(observed.services.map((service) => [service.metadata.name, service]));
  const presentSlices = new Map(observed.slices.map((slice) => [slice.metadata.name, slice]));
  const names = new Set(wanted.map((service) => service.metadata.name));
  const sliceNames = new Set(slices.map((slice) => slice.metadata.name));
  return [
    ...wanted.flatMap((service) => planService(service, present.get(service.metadata.name))),
    ...slices.flatMap((slice) => planSlice(slice, presentSlices.get(slice.metadata.name))),
    ...observed.slices
      .filter(({ metadata }) => !sliceNames.has(metadata.name) && metadata.deletionTimestamp === undefined)
      .map((slice): MirrorAction => ({ type: 'delete-slice', slice })),
    ...observed.services
      .filter(({ metadata }) => !names.has(metadata.name) && metadata.deletionTimestamp === undefined)
      .map((service): MirrorAction => ({ type: 'delete-service', service })),
  ];
}

/** The Service without a selector, so that controllers here make no endpoints of their own. */
function toMirrorService(sent: SentService, { origin, twinOf, clusterDomain }: MirrorObservation): Service {
  const metadata = {
    name: sent.name,
    namespace: twinOf(origin.namespace),
    labels: { ...sent.labels, ...marks(origin) },
    ...(sent.clusterIP === undefined ? {} : { annotations: { [HOME_ADDRESS_ANNOTATION]: sent.clusterIP } }),
  };
  const ports = sent.ports.map((port) => ({ ...port, targetPort: port.port }));
  if (sent.type === 'ExternalName') {
    const externalName = toExternalName(sent.externalName ?? '', twinOf, clusterDomain);
    return { metadata, spec: { type: 'ExternalName', externalName, ...(ports.length === 0 ? {} : { ports }) } };
  }
  return {
    metadata,
    spec: {
      type: 'ClusterIP',
      ...(sent.type === 'Headless' ? { clusterIP: 'None' } : {}),
      ...(ports.length === 0 ? {} : { ports }),
      ...(sent.affinitySeconds === undefined
        ? { sessionAffinity: 'None' }
        : {
            sessionAffinity: 'ClientIP',
            sessionAffinityConfig: { clientIP: { timeoutSeconds: sent.affinitySeconds } },
          }),
      ...(sent.publishNotReadyAddresses === true ? { publishNotReadyAddresses: true } : {}),
      internalTrafficPolicy: sent.localOnly === true ? 'Local' : 'Cluster',
    },
  };
}

/** A name inside the consumer's cluster leads to the twin of that namespace; one outside is the same everywhere. */
function toExternalName(name: string, twinOf: MirrorObservation['twinOf'], clusterDomain: string): string {
  const suffix = `.svc.${clusterDomain}`;
  const bare = name.replace(/\.$/, '');
  if (!bare.toLowerCase().endsWith(suffix)) return name;
  const labels = bare.slice(0, -suffix.length).split('.');
  const namespace = (labels.pop() ?? '').toLowerCase();
  return [...labels, `${twinOf(namespace)}${suffix}`].join('.');
}

function toMirrorSlices(sent: SentService, observed: MirrorObservation): EndpointSlice[] {
  return sent.endpoints.flatMap((group) => {
    const endpoints = group.endpoints.flatMap((endpoint) => toMirrorEndpoint(endpoint, sent, observed));
    return chunks(endpoints, ENDPOINTS_PER_SLICE).map((part, index) =>
      toMirrorSlice(sent, group, { part, index }, observed),
    );
  });
}

function toMirrorSlice(
  sent: SentService,
  group: SentEndpoints,
  { part, index }: { part: Endpoint[]; index: number },
  { origin, twinOf }: MirrorObservation,
): EndpointSlice {
  const hash = createHash('sha256').update(JSON.stringify(group.ports)).digest('hex').slice(0, 8);
  return {
    metadata: {
      name: `${sent.name.slice(0, MAX_SLICE_PREFIX)}-${hash}-${index}`,
      namespace: twinOf(origin.namespace),
      labels: {
        ...marks(origin),
        [SERVICE_NAME_LABEL]: sent.name,
        [SLICE_MANAGER_LABEL]: SLICE_MANAGER,
        ...(sent.type === 'Headless' ? { [HEADLESS_LABEL]: '' } : {}),
      },
    },
    addressType: 'IPv4',
    ports: group.ports.map((port) => ({ name: '', ...port })),
    endpoints: part,
  };
}

/**
 * An endpoint as seen from here, or nothing: it must be a pod of this consumer on this cluster, one that this cluster exports, or an
 * address of a member that can be reached. So no peer can point a Service at this cluster's nodes, its API server or other pods.
 */
function toMirrorEndpoint(endpoint: SentEndpoint, sent: SentService, observed: MirrorObservation): Endpoint[] {
  const { address, ready, serving, terminating, hostname } = endpoint;
  const conditions = { ready, serving, terminating };
  const named = hostname === undefined ? {} : { hostname };
  const local = observed.toLocal(address);
  if (local === undefined) {
    return observed.isReachable(address) ? [{ addresses: [address], conditions, ...named }] : [];
  }
  const pod = observed.podAt(local);
  if (pod === undefined) return observed.isExported(local) ? [{ addresses: [local], conditions, ...named }] : [];
  const { name, namespace = '', uid = '' } = pod.metadata;
  return [
    {
      addresses: [local],
      conditions: sent.publishNotReadyAddresses === true ? conditions : locally(conditions, pod),
      ...named,
      ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
      targetRef: { kind: 'Pod', namespace, name, uid },
    },
  ];
}

interface EndpointConditions {
  ready: boolean;
  serving: boolean;
  terminating: boolean;
}

/** Of its own pods a provider knows sooner than their home that they are not ready any more, and when home is away, too. */
function locally({ ready, serving, terminating }: EndpointConditions, pod: Pod): EndpointConditions {
  const podReady = isReady(pod);
  const isEnding = pod.metadata.deletionTimestamp !== undefined;
  return { ready: ready && podReady && !isEnding, serving: serving && podReady, terminating: terminating || isEnding };
}

/**
 * What is known of a namespace before its consumer told its state anew (this agent was restarted): endpoints on members that
 * cannot be reached go all the same. They come back by what the consumer tells.
 */
export function planWithdrawal(
  observed: Pick<MirrorObservation, 'slices' | 'isReachable'> & { isImage(address: string): boolean },
): MirrorAction[] {
  return observed.slices.flatMap((slice): MirrorAction[] => {
    const present = slice.endpoints ?? [];
    const kept = present.filter(({ addresses }) =>
      addresses.every((address) => !observed.isImage(address) || observed.isReachable(address)),
    );
    return kept.length === present.length ? [] : [{ type: 'replace-slice', slice: { ...slice, endpoints: kept } }];
  });
}

function planService(wanted: Service, present: Service | undefined): MirrorAction[] {
  if (present === undefined) return [{ type: 'create-service', service: wanted }];
  if (present.metadata.deletionTimestamp !== undefined) return [];
  if (kindOf(present) !== kindOf(wanted)) {
    return [
      { type: 'delete-service', service: present },
      { type: 'create-service', service: wanted },
    ];
  }
  const spec: Record<string, unknown> = {};
  const { spec: wantedSpec = {} } = wanted;
  const { spec: presentSpec = {} } = present;
  const fields = new Set([...Object.keys(wantedSpec), ...REMOVABLE_FIELDS]);
  for (const field of fields) {
    const value = wantedSpec[field];
    if (!isEqual(value, comparable(field, presentSpec[field]))) spec[field] = value ?? null;
  }
  const labels = labelPatch(present.metadata.labels ?? {}, wanted.metadata.labels ?? {});
  const annotations = addressPatch(present, wanted);
  const metadata = { ...(isEmpty(labels) ? {} : { labels }), ...(isEmpty(annotations) ? {} : { annotations }) };
  const patch = {
    ...(isEmpty(metadata) ? {} : { metadata }),
    ...(isEmpty(spec) ? {} : { spec }),
  };
  if (isEmpty(patch)) return [];
  return [{ type: 'update-service', patch, service: wanted }];
}

function isEmpty(map: object): boolean {
  return Object.keys(map).length === 0;
}

/** Of the annotations one is ours; others may be somebody's here. */
function addressPatch(present: Service, wanted: Service): Record<string, string | null> {
  const [is, shall] = [present, wanted].map(({ metadata }) => metadata.annotations?.[HOME_ADDRESS_ANNOTATION]);
  return is === shall ? {} : { [HOME_ADDRESS_ANNOTATION]: shall ?? null };
}

/** Fields of a mirror that may have to be taken away again. */
const REMOVABLE_FIELDS = ['sessionAffinityConfig', 'ports', 'selector', 'publishNotReadyAddresses'];

/** What cannot change in the life of a Service: whether it has an address, or only a name. */
function kindOf(service: Service): string {
  return service.spec?.type === 'ExternalName' ? 'ExternalName' : isHeadless(service) ? 'Headless' : 'ClusterIP';
}

/** The API server fills in more than we say of a port. */
function comparable(field: string, present: unknown): unknown {
  if (field !== 'ports' || !Array.isArray(present)) return present;
  return present.map(({ name, port, protocol, appProtocol, targetPort }) =>
    Object.fromEntries(
      Object.entries({ name, port, protocol, appProtocol, targetPort }).filter(([, value]) => value !== undefined),
    ),
  );
}

function planSlice(wanted: EndpointSlice, present: EndpointSlice | undefined): MirrorAction[] {
  if (present === undefined) return [{ type: 'create-slice', slice: wanted }];
  if (present.metadata.deletionTimestamp !== undefined) return [];
  const labels = labelPatch(present.metadata.labels ?? {}, wanted.metadata.labels ?? {});
  const same =
    Object.keys(labels).length === 0 &&
    isEqual(present.ports ?? [], wanted.ports) &&
    isEqual(present.endpoints ?? [], wanted.endpoints);
  if (same) return [];
  const { resourceVersion } = present.metadata;
  const version = resourceVersion === undefined ? {} : { resourceVersion };
  return [{ type: 'replace-slice', slice: { ...wanted, metadata: { ...wanted.metadata, ...version } } }];
}

/** A merge patch of labels: what differs, and null for what is to go. */
function labelPatch(present: Record<string, string>, wanted: Record<string, string>): Record<string, string | null> {
  return Object.fromEntries([
    ...Object.entries(wanted).filter(([name, value]) => present[name] !== value),
    ...Object.keys(present)
      .filter((name) => !(name in wanted))
      .map((name) => [name, null] as const),
  ]);
}

function marks(origin: { cluster: string; namespace: string }): Record<string, string> {
  return {
    [MANAGED_BY_LABEL]: MANAGED_BY,
    [ORIGIN_CLUSTER_LABEL]: origin.cluster,
    [ORIGIN_NAMESPACE_LABEL]: origin.namespace,
  };
}

function chunks<T>(items: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
