import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import type { FederationObject } from '../../src/core/membership/peer-object.ts';
import { jumpingClock } from '../jumping-clock.ts';
import { FixedCluster, NOW, OBJECTS } from './cluster-fixture.ts';
import { run } from './run.ts';

const ANNOTATION = 'headcut.dev/rotate-key';

function clusterWith(federation: object = {}, peers: Record<string, object> = {}): FixedCluster {
  const changed = (OBJECTS.peers ?? []).map((peer) => ({
    ...peer,
    spec: { ...(peer.spec as object), ...peers[peer.metadata.name] },
  }));
  const [before] = structuredClone(OBJECTS.federations ?? []) as [FederationObject];
  const status = { ...before.status, ...federation };
  return new FixedCluster({ ...OBJECTS, peers: changed as KubeObject[], federations: [{ ...before, status }] });
}

const own = (cluster: FixedCluster) => cluster.objects.federations?.[0] as FederationObject;

/** With an agent that does what it is asked for after a second, and peers of which the connected one accepts it a second later. */
async function headcut(line: string, cluster = clusterWith(), agent = true) {
  cluster.onPatch = (_plural, patch) => {
    own(cluster).metadata.annotations = (patch as FederationObject).metadata.annotations ?? {};
  };
  const clock = jumpingClock(NOW, (ms) => {
    if (!agent) return;
    const federation = own(cluster);
    const replaced = (federation.status?.key?.replaced ?? 0) + (federation.metadata.annotations === undefined ? 0 : 1);
    if (ms >= 1_000 && federation.metadata.annotations !== undefined) {
      delete federation.metadata.annotations;
      federation.status = { ...federation.status, key: { replaced, unseenBy: ['b', 'c'] } };
    }
    if (ms >= 2_000 && federation.status?.key) federation.status.key.unseenBy = ['c'];
  });
  const result = await run(line.split(' '), cluster.client, { clock });
  return { ...result, writes: cluster.writes, cluster };
}

describe('rotate-key', () => {
  test('asks the agent for a new key once, and tells when it is in use', async () => {
    const { code, out, error, writes } = await headcut('rotate-key');
    expect([code, out]).toEqual([
      0,
      '[  0.0s] asked the agent for the next key\n[  1.0s] aaaaaaaaaaaa has a new key, which comes after one other\n',
    ]);
    expect(error).toMatch(/accept it within seconds.*ends after 30s/);
    expect(writes).toEqual([
      `patch federations/headcut {"metadata":{"annotations":{"${ANNOTATION}":"2026-01-01T12:00:00.000Z"}}}`,
    ]);
  });

  test('with --wait tells which members accepted it, and which will when they are back', async () => {
    const { code, out, error } = await headcut(
      'rotate-key --wait',
      clusterWith({ key: { replaced: 1, unseenBy: [] } }),
    );
    expect([code, error]).toEqual([0, '']);
    expect(out.split('\n').slice(1, -1)).toEqual([
      '[  1.0s] aaaaaaaaaaaa has a new key, which comes after 2 others',
      '[  2.0s] b accepts it',
      '[  2.0s] c is away, and accepts it when it is back',
    ]);
  });

  test('run again while the agent has not done it, it asks no second time', async () => {
    const cluster = clusterWith();
    own(cluster).metadata.annotations = { [ANNOTATION]: 'before' };
    const { code, out, writes } = await headcut('rotate-key', cluster);
    expect([code, writes]).toEqual([0, []]);
    expect(out).toContain('the agent was asked for the next key before');
  });

  test('refuses when a member would be lost, and says which, and what to do', async () => {
    const old = () => clusterWith({}, { c: { protocol: 3 } });
    const { code, error, writes } = await headcut('rotate-key', old());
    expect([code, writes]).toEqual([1, []]);
    expect(error).toMatch(
      /^error: c would lose this member: .*too old.*Update it there first \(headcut install\), or use --force/,
    );
    const forced = await headcut('rotate-key --force --wait', old());
    expect(forced.code).toBe(0);
    expect(forced.out).toContain('c is too old for it, and lost this member until headcut is updated there');
  });

  test('says that there is no further key after 64, and what to do', async () => {
    const { code, error, writes } = await headcut('rotate-key', clusterWith({ key: { replaced: 64, unseenBy: [] } }));
    expect([code, writes]).toEqual([1, []]);
    expect(error).toMatch(/replaced its key 64 times, which is as often as one can.*headcut leave/);
  });

  test('ends when no agent does it, and says where to look', async () => {
    const { code, error } = await headcut('rotate-key', clusterWith(), false);
    expect(code).toBe(1);
    expect(error).toMatch(/the agent has not replaced the key after 20s.*headcut logs/);
  });

  test('ends when a connected member does not accept it in time, and names it', async () => {
    const cluster = clusterWith({ key: { replaced: 1, unseenBy: [] } });
    const peers = cluster.objects.peers as KubeObject[];
    for (const peer of peers) (peer.status as { state: string }).state = 'Connected';
    const { code, error } = await headcut('rotate-key --wait --timeout 5s', cluster);
    expect(code).toBe(1);
    expect(error).toMatch(/not accepted after 5s by c; it goes on by itself, headcut doctor tells/);
  });

  test('says beforehand what it would do, with --dry-run, and tells its steps as data', async () => {
    const { out, writes } = await headcut('rotate-key --dry-run -o json', clusterWith({}, { c: { protocol: 3 } }));
    expect([JSON.parse(out), writes]).toEqual([
      { id: 'a'.repeat(52), replaced: 0, connected: ['b'], away: [], lost: ['c'] },
      [],
    ]);
    const steps = JSON.parse((await headcut('rotate-key --wait -o json')).out) as object[];
    expect(steps.slice(1)).toEqual([
      { type: 'replaced', id: 'a'.repeat(52), replaced: 1 },
      { type: 'accepted', peer: 'b' },
      { type: 'away', peer: 'c' },
    ]);
  });
});
