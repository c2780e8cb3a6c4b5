import { describe, expect, test } from 'vitest';
import { type CheckReport, diagnose } from '../../src/ops/doctor/doctor.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { NOW } from '../cli/cluster-fixture.ts';
import { blocked, cluster, type Faults, healthy } from '../cli/doctor-fixture.ts';
import { run } from '../cli/run.ts';

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
      ports: 'ok',
      clocks: 'ok',
      versions: 'ok',
      mtu: 'ok',
      dns: 'ok',
      certificates: 'skipped',
      sharing: 'ok',
    });
  });

  test.each([
    ['old', /too old: v1beta1 is not served/],
    ['unnamed', /CoreDNS does not answer for clusterset\.local/],
  ] as const)('says what imports lack: %s', async (sharing, message) => {
    const found = (await reports({ objects: healthy, sharing })).find(({ id }) => id === 'sharing');
    expect(found?.findings).toContainEqual({
      verdict: 'warning',
      message: expect.stringMatching(message),
      fix: expect.any(String),
    });
  });

  const CLOSED = [{ endpoint: '192.0.2.9:7443', ok: false as const, problem: 'connect ECONNREFUSED' }];
  const SMALL = { bytes: 1420, answered: false };
  const SILENT = { ok: false as const, problem: 'no answer in time' };
  const foreignNode = { metadata: { name: 'headcut-b', labels: { x: 'y' } } };

  test.each<[string, Faults, string, string, RegExp]>([
    ['a dead peer', {}, 'contact', 'failed', /c is unreachable, last heard of 3m ago.*ETIMEDOUT/],
    ['blocked UDP', { objects: { peers: blocked } }, 'pod-network', 'warning', /UDP does not get through/],
    ['clock skew', { objects: healthy, aheadSeconds: 90 }, 'api', 'warning', /90s away/],
    ['missing policies', { objects: healthy, noPolicies: true }, 'admission', 'failed', /no pod would ever leave/],
    ['a blocked port', { objects: healthy, noPort: true }, 'virtual-nodes', 'failed', /does not reach the port/],
    ['no agent', { objects: { ...healthy, pods: [] } }, 'agent', 'failed', /no agent runs/],
    ['old definitions', { objects: healthy, oldKinds: true }, 'kinds', 'warning', /peers\.headcut\.dev \(spec\./],
    ['a clock that is off', { objects: healthy, peer: { clockSkewMs: -5_000 } }, 'clocks', 'warning', /b is 5s behind/],
    [
      'a wrong clock',
      { objects: healthy, peer: { clockSkewMs: 90_000 } },
      'clocks',
      'failed',
      /b is 90s ahead|b is 1m/,
    ],
    [
      'a closed port there',
      { objects: healthy, peer: { outward: CLOSED } },
      'ports',
      'warning',
      /not reach b.*ECONNREFUSED/,
    ],
    ['a closed port here', { objects: healthy, peer: { inward: CLOSED } }, 'ports', 'warning', /b does not reach/],
    ['an older agent', { objects: healthy, peer: { version: '9.9.8' } }, 'versions', 'warning', /b runs version 9.9.8/],
    [
      'small packets only',
      { objects: healthy, peer: { fullSize: SMALL } },
      'mtu',
      'failed',
      /1420 bytes do not get to b/,
    ],
    ['a DNS that is away', { objects: healthy, dns: SILENT }, 'dns', 'failed', /no answer in time/],
    ['a foreign node', { objects: { ...healthy, nodes: [foreignNode] } }, 'foreign', 'failed', /is not headcut's/],
  ])('finds %s and says what to do', async (_what, faults, id, verdict, message) => {
    const found = (await reports(faults)).find((one) => one.id === id);
    expect(found?.verdict).toBe(verdict);
    const finding = found?.findings.find((one) => one.verdict === verdict);
    expect(finding?.message).toMatch(message);
    expect(finding?.fix).toBeTruthy();
  });

  test('warns of a controller that goes on failing, not of what failed and was made good', async () => {
    const agent = async (controller: string) =>
      (await reports({ objects: healthy, controller })).find(({ id }) => id === 'agent');
    expect(await agent('errors=61 last error: u1: namespace is being terminated')).toMatchObject({ verdict: 'ok' });
    const stuck = await agent('errors=61 stuck=2 last error: u1: the API server is away');
    expect(stuck?.verdict).toBe('warning');
    expect(JSON.stringify(stuck)).toContain('for 2 objects; one: u1: the API server is away');
  });

  test('looks at one peer alone, whatever the others do', async () => {
    const found = await reports({}, 'b');
    expect(found.map(({ id }) => id)).toEqual([
      ...['foreign', 'contact', 'virtual-nodes', 'pod-network'],
      ...['ports', 'clocks', 'versions', 'mtu'],
    ]);
    expect(found.every(({ verdict }) => verdict === 'ok')).toBe(true);
  });

  test('has exit code 1 when something fails, and 0 when all is well', async () => {
    const sick = await run(['doctor'], cluster({}).client);
    expect(sick.code).toBe(1);
    expect(`\n${sick.out}`).toMatchSnapshot();
    expect((await run(['doctor'], cluster({ objects: healthy }).client)).code).toBe(0);
  });
});
