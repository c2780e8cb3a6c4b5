import type { Condition, KubeObject } from '../kube-objects.ts';
import type { PeerObject } from '../membership/peer-object.ts';
import type { EndpointSlice } from '../service/service-objects.ts';
import {
  isOurs,
  type ServiceExport,
  type ServiceImport,
  SHARED_NAME_LABEL,
  SOURCE_CLUSTER_LABEL,
} from '../sharing/sharing-objects.ts';
import type { Explanation } from './explain-pod.ts';
import type { World } from './world.ts';

/** What this cluster knows of Services that members share. */
export interface SharedObjects {
  exports: readonly ServiceExport[];
  imports: readonly ServiceImport[];
  /** Those of imports. */
  slices: readonly EndpointSlice[];
}

export interface SharedService {
  namespace: string;
  name: string;
  /** `ClusterSetIP` or `Headless`; undefined while it is not imported here. */
  type?: string;
  ips: string[];
  /** Whether this cluster exports it. */
  exported: boolean;
  /** Names of the members that export it, this cluster among them; by ID where it is no peer any more. */
  from: string[];
  readyEndpoints: number;
  /** What is in conflict or wrong, in words. */
  problems: string[];
}

/** Every name under which anything is exported here or imported, sorted. */
export function sharedServices(world: World, objects: SharedObjects): SharedService[] {
  const keys = new Set([...objects.exports, ...objects.imports].map(keyOf));
  return [...keys].sort().map((key) => sharedService(world, objects, key));
}

function sharedService(world: World, { exports, imports, slices }: SharedObjects, key: string): SharedService {
  const [namespace = '', name = ''] = key.split('/');
  const own = exports.find((one) => keyOf(one) === key);
  const imported = imports.find((one) => keyOf(one) === key);
  const ready = slices
    .filter(({ metadata }) => metadata.namespace === namespace && metadata.labels?.[SHARED_NAME_LABEL] === name)
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false);
  const { type } = imported?.spec ?? {};
  return {
    namespace,
    name,
    ...(type === undefined ? {} : { type }),
    ips: imported?.spec?.ips ?? [],
    exported: own !== undefined,
    from: (imported?.status?.clusters ?? []).map(({ cluster }) => nameOf(world, cluster)),
    readyEndpoints: ready.length,
    problems: [...exportProblems(own), ...importProblems(imported)],
  };
}

function exportProblems(own: ServiceExport | undefined): string[] {
  const bad = (own?.status?.conditions ?? []).filter(
    ({ type, status }) => (type === 'Conflict' && status === 'True') || (type !== 'Conflict' && status === 'False'),
  );
  return bad
    .filter(({ type }) => type !== 'Ready' || !bad.some((other) => other.type === 'Valid'))
    .map(({ reason = '', message = '' }: Condition) => `${reason}: ${message}`);
}

function importProblems(imported: ServiceImport | undefined): string[] {
  if (imported === undefined) return [];
  if (!isOurs(imported)) return ['NotOurs: the ServiceImport was made by somebody else, and headcut leaves it alone'];
  return (imported.status?.conditions ?? [])
    .filter(({ type, status }) => type === 'Ready' && status !== 'True')
    .map(({ reason = '', message = '' }) => `${reason}: ${message}`);
}

/** Why a Service of this name is, or is not, exported and imported here, and why an import has no endpoints. */
export function explainService(
  world: World,
  objects: SharedObjects,
  { namespace, name }: { namespace: string; name: string },
): Explanation {
  const key = `${namespace}/${name}`;
  const own = objects.exports.find((one) => keyOf(one) === key);
  const imported = objects.imports.find((one) => keyOf(one) === key);
  const shared = sharedService(world, objects, key);
  const policies =
    'NetworkPolicies see the pods of other members by addresses of the pod network between members: one that allows a namespace does not allow what comes from the same namespace elsewhere; allow its addresses (ipBlock) where that is wanted.';
  if (imported === undefined) {
    const problems = shared.problems.map((problem) => `${problem}.`);
    return {
      summary:
        own === undefined
          ? `Service ${key} is shared with nobody: it is neither exported here nor imported.`
          : `Service ${key} is exported here, and not imported yet.`,
      because: problems,
      advice:
        own === undefined
          ? [
              `A ServiceExport ${name} in namespace ${namespace} exports it; one on another member imports it here, where namespace ${namespace} is there and open on both (headcut.dev/share-services, spec.services of the Federation).`,
            ]
          : [],
    };
  }
  const sources = (imported.status?.clusters ?? []).map(({ cluster }) => sourceText(world, objects, { key, cluster }));
  const address = shared.ips.length === 0 ? '' : ` at ${shared.ips.join(', ')}`;
  const many = shared.readyEndpoints === 1 ? '1 ready endpoint' : `${shared.readyEndpoints} ready endpoints`;
  return {
    summary:
      shared.readyEndpoints === 0
        ? `Service ${key} is imported${address}, and has no ready endpoint.`
        : `Service ${key} is imported${address}, with ${many}.`,
    because: [
      `Its name is ${name}.${namespace}.svc.clusterset.local.`,
      ...sources,
      ...shared.problems.map((problem) => `${problem}.`),
      policies,
    ],
    advice: [],
  };
}

function sourceText(
  world: World,
  { slices }: SharedObjects,
  { key, cluster }: { key: string; cluster: string },
): string {
  const [namespace = '', name = ''] = key.split('/');
  const endpoints = slices
    .filter(
      ({ metadata: { namespace: at, labels = {} } }) =>
        at === namespace && labels[SHARED_NAME_LABEL] === name && labels[SOURCE_CLUSTER_LABEL] === cluster,
    )
    .flatMap((slice) => slice.endpoints ?? []);
  const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false).length;
  const who = nameOf(world, cluster);
  if (ready > 0) return `${who} exports it, with ${ready === 1 ? '1 ready endpoint' : `${ready} ready endpoints`}.`;
  if (cluster === world.federation.status?.id) return 'This cluster exports it, and none of its pods there is ready.';
  return `${who} exports it, without a ready endpoint here: ${whyNone(world, cluster)}.`;
}

function whyNone(world: World, cluster: string): string {
  const peer = peerOf(world, cluster);
  if (peer === undefined) return 'it is no member any more';
  const state = peer.status?.state;
  if (state !== 'Connected' && state !== 'Suspect')
    return `it is ${state ?? 'not known yet'}; see headcut explain peer ${peer.metadata.name}`;
  const network = peer.status?.network;
  if (network === null || network?.prefix === null)
    return `there is no pod network with it; see headcut explain peer ${peer.metadata.name}`;
  return 'it names no pod that is ready, or its ports are contradicted by those of an older export';
}

function nameOf(world: World, cluster: string): string {
  if (cluster === world.federation.status?.id) return world.federation.status?.name ?? 'this cluster';
  return peerOf(world, cluster)?.metadata.name ?? cluster;
}

function peerOf(world: World, cluster: string): PeerObject | undefined {
  return world.peers.find(({ spec }) => spec.id === cluster);
}

function keyOf({ metadata: { namespace = '', name } }: KubeObject): string {
  return `${namespace}/${name}`;
}
