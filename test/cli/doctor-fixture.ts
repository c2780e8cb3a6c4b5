import { Readable } from 'node:stream';
import type { Diagnosis, PeerDiagnosis } from '../../src/core/diagnosis/diagnosis.ts';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import { installObjects } from '../../src/ops/install-objects.ts';
import { FixedCluster, NOW, OBJECTS } from './cluster-fixture.ts';

const agentPod: KubeObject = {
  metadata: { name: 'headcut-1', namespace: 'headcut-system', labels: { 'app.kubernetes.io/name': 'headcut' } },
  spec: { containers: [{ name: 'headcut' }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
};

export interface Faults {
  /** Seconds by which the API server's clock is ahead. */
  aheadSeconds?: number;
  noPolicies?: boolean;
  /** The port of virtual nodes does not answer. */
  noPort?: boolean;
  objects?: Record<string, KubeObject[]>;
  /** What the agent finds about `b`, and about the names of the cluster. */
  peer?: Partial<PeerDiagnosis>;
  dns?: Diagnosis['dns'];
  /** A definition of a kind is one of before. */
  oldKinds?: boolean;
  /** What the agent's page says of a controller after its other counts. */
  controller?: string;
  /** The kinds of shared Services are of an earlier version, or the cluster's DNS does not know the names of imports. */
  sharing?: 'old' | 'unnamed';
}

function diagnosisOf({ peer, dns = { ok: true } }: Faults): Diagnosis {
  const reach = (endpoint: string) => [{ endpoint, ok: true as const }];
  const b: PeerDiagnosis = {
    name: 'b',
    state: 'Connected',
    version: '9.9.9',
    clockSkewMs: 20,
    openedBy: 'here',
    outward: reach('192.0.2.2:7443'),
    inward: reach('192.0.2.1:7443'),
    fullSize: { bytes: 1420, answered: true },
    ...peer,
  };
  return { dns, peers: [b, DEAD] };
}

const DEAD: PeerDiagnosis = {
  name: 'c',
  state: 'Unreachable',
  outward: [{ endpoint: '192.0.2.3:7443', ok: false, problem: 'connect ETIMEDOUT' }],
};

function definition(name: string): KubeObject | undefined {
  return installObjects({}).find((one) => one.metadata.name === name);
}

/** A cluster whose agent, policies and ports work as far as `faults` let them. */
export function cluster(faults: Faults): FixedCluster {
  const { aheadSeconds = 0, noPolicies = false, noPort = false, oldKinds = false, objects = {}, sharing } = faults;
  const { controller = 'errors=0' } = faults;
  const { peers: known = [] } = { ...OBJECTS, ...objects };
  const found = diagnosisOf(faults);
  const diagnosis = {
    ...found,
    peers: found.peers.filter(({ name }) => known.some((one) => one.metadata.name === name)),
  };
  const { pods = [], peers = [] } = OBJECTS;
  const fixed = new FixedCluster({ ...OBJECTS, secrets: [], peers, pods: [...pods, agentPod], ...objects });
  const headers = { date: new Date(NOW + aheadSeconds * 1000).toUTCString() };
  Object.assign(fixed.client, {
    stream: async (path: string) => {
      if (path.includes('/nodes/') && noPort) throw new ApiError(503, { message: 'dial tcp: connection refused' });
      const pages: [RegExp, string][] = [
        [/^\/version/, '{"gitVersion":"v1.36.3"}'],
        [/diagnosis$/, JSON.stringify(diagnosis)],
        [/metrics$/, 'headcut_build_info{version="9.9.9"} 1\n'],
        [/readyz/, `[+] controller offloading queued=0 inFlight=0 reconciles=9 ${controller}\nok\n`],
      ];
      return { body: Readable.from([pages.find(([page]) => page.test(path))?.[1] ?? 'ok']), headers };
    },
    request: async (_method: string, path: string) => {
      if (path.includes('admissionregistration') && noPolicies) throw new ApiError(404, { message: 'not found' });
      const [, kind] = /customresourcedefinitions\/(.*)/.exec(path) ?? [];
      if (kind !== undefined) return oldKinds ? { spec: { group: 'headcut.dev' } } : definition(kind);
      if (path.includes('multicluster')) {
        if (sharing === 'old' && path.endsWith('v1beta1')) throw new ApiError(404, { message: 'not found' });
        return { resources: ['serviceexports', 'serviceimports'].map((name) => ({ name })) };
      }
      if (path.endsWith('/configmaps/coredns')) {
        const option = sharing === 'unnamed' ? '' : '  multicluster clusterset.local\n';
        return { data: { Corefile: `.:53 {\n kubernetes cluster.local clusterset.local {\n${option} }\n}` } };
      }
      return { resources: ['federations', 'offloadings', 'peers', 'shadowpods'].map((name) => ({ name })) };
    },
    create: async (_type: unknown, pod: { spec: object }) => ({
      ...pod,
      spec: { ...pod.spec, tolerations: [{ key: 'headcut.dev/virtual-node' }] },
    }),
  });
  return fixed;
}

/** Only what works: `c`, which is unreachable in the fixture, is left out. */
export const healthy = { peers: (OBJECTS.peers ?? []).filter((one) => one.metadata.name === 'b') };

/** `b` with its pod network through the peer port. */
export const blocked = structuredClone(healthy.peers);
(blocked[0]?.status as { network: object }).network = { path: 'TLS' };
