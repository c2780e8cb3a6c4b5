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
      certificates: 'skipped',
    });
  });

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
