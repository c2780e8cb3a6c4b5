import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import { type CheckReport, diagnose } from '../../src/ops/doctor/doctor.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { FixedCluster, NOW, OBJECTS } from '../cli/cluster-fixture.ts';
import { run } from '../cli/run.ts';

const agentPod: KubeObject = {
  metadata: { name: 'headcut-1', namespace: 'headcut-system', labels: { 'app.kubernetes.io/name': 'headcut' } },
  spec: { containers: [{ name: 'headcut' }] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
};

interface Faults {
  /** Seconds by which the API server's clock is ahead. */
  aheadSeconds?: number;
  noPolicies?: boolean;
  /** The port of virtual nodes does not answer. */
  noPort?: boolean;
  objects?: Record<string, KubeObject[]>;
}

/** A cluster whose agent, policies and ports work as far as `faults` let them. */
function cluster({ aheadSeconds = 0, noPolicies = false, noPort = false, objects = {} }: Faults): FixedCluster {
  const { pods = [], peers = [] } = OBJECTS;
  const fixed = new FixedCluster({ ...OBJECTS, secrets: [], peers, pods: [...pods, agentPod], ...objects });
  const headers = { date: new Date(NOW + aheadSeconds * 1000).toUTCString() };
  Object.assign(fixed.client, {
    stream: async (path: string) => {
      if (path.includes('/nodes/') && noPort) throw new ApiError(503, { message: 'dial tcp: connection refused' });
      const pages: [RegExp, string][] = [
        [/^\/version/, '{"gitVersion":"v1.36.3"}'],
        [/metrics$/, 'headcut_build_info{version="9.9.9"} 1\n'],
        [/readyz/, '[+] controller offloading queued=0 inFlight=0 reconciles=9 errors=0\nok\n'],
      ];
      return { body: Readable.from([pages.find(([page]) => page.test(path))?.[1] ?? 'ok']), headers };
    },
    request: async (_method: string, path: string) => {
      if (path.includes('admissionregistration') && noPolicies) throw new ApiError(404, { message: 'not found' });
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
const healthy = { peers: (OBJECTS.peers ?? []).filter((one) => one.metadata.name === 'b') };

async function reports(faults: Faults, peer?: string): Promise<CheckReport[]> {
  const clock = { ...systemClock, now: () => NOW };
  const found: CheckReport[] = [];
  const options = { clock, version: '9.9.9', peer, signal: new AbortController().signal };
  for await (const report of diagnose(cluster(faults).client, options)) found.push(report);
  return found;
}

const verdicts = (found: CheckReport[]) => Object.fromEntries(found.map(({ id, verdict }) => [id, verdict]));

describe('doctor', () => {
  test('finds nothing wrong with a healthy member', async () => {
    expect(verdicts(await reports({ objects: healthy }))).toEqual({
      api: 'ok',
      kinds: 'ok',
      agent: 'ok',
      admission: 'ok',
      foreign: 'ok',
      contact: 'ok',
      'virtual-nodes': 'ok',
      'pod-network': 'ok',
      certificates: 'skipped',
    });
  });

  const blocked = structuredClone(healthy.peers);
  (blocked[0]?.status as { network: object }).network = { path: 'TLS' };
  const foreignNode = { metadata: { name: 'headcut-b', labels: { x: 'y' } } };

  test.each<[string, Faults, string, string, RegExp]>([
    ['a dead peer', {}, 'contact', 'failed', /c is unreachable, last heard of 3m ago.*ETIMEDOUT/],
    ['blocked UDP', { objects: { peers: blocked } }, 'pod-network', 'warning', /UDP does not get through/],
    ['clock skew', { objects: healthy, aheadSeconds: 90 }, 'api', 'warning', /90s away/],
    ['missing policies', { objects: healthy, noPolicies: true }, 'admission', 'failed', /no pod would ever leave/],
    ['a blocked port', { objects: healthy, noPort: true }, 'virtual-nodes', 'failed', /does not reach the port/],
    ['no agent', { objects: { ...healthy, pods: [] } }, 'agent', 'failed', /no agent runs/],
    ['a foreign node', { objects: { ...healthy, nodes: [foreignNode] } }, 'foreign', 'failed', /is not headcut's/],
  ])('finds %s and says what to do', async (_what, faults, id, verdict, message) => {
    const found = (await reports(faults)).find((one) => one.id === id);
    expect(found?.verdict).toBe(verdict);
    const finding = found?.findings.find((one) => one.verdict === verdict);
    expect(finding?.message).toMatch(message);
    expect(finding?.fix).toBeTruthy();
  });

  test('looks at one peer alone, whatever the others do', async () => {
    const found = await reports({}, 'b');
    expect(found.map(({ id }) => id)).toEqual(['foreign', 'contact', 'virtual-nodes', 'pod-network']);
    expect(found.every(({ verdict }) => verdict === 'ok')).toBe(true);
  });

  test('has exit code 1 when something fails, and 0 when all is well', async () => {
    const sick = await run(['doctor'], cluster({}).client);
    expect(sick.code).toBe(1);
    expect(`\n${sick.out}`).toMatchSnapshot();
    expect((await run(['doctor'], cluster({ objects: healthy }).client)).code).toBe(0);
  });
});
