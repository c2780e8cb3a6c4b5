import { describe, expect, test } from 'vitest';
import type { KubeObject, Node } from '../../src/core/kube-objects.ts';
import { encodeData } from '../../src/core/membership/join-secrets.ts';
import { formatJoinToken } from '../../src/core/membership/join-token.ts';
import type { PeerObject } from '../../src/core/membership/peer-object.ts';
import { jumpingClock } from '../jumping-clock.ts';
import { FixedCluster, NOW, OBJECTS } from './cluster-fixture.ts';
import { run } from './run.ts';

async function headcut(line: string, cluster = new FixedCluster(), more = {}) {
  const result = await run(line.split(' '), cluster.client, { clock: jumpingClock(NOW), ...more });
  return { ...result, writes: cluster.writes, cluster };
}

/** With an agent that does what it is asked for at once. */
function withAgent(objects?: Record<string, KubeObject[]>): FixedCluster {
  const cluster = new FixedCluster(objects);
  cluster.onPatch = (plural) => {
    if (plural === 'federations') cluster.objects.peers = [];
  };
  return cluster;
}

const federation = (more: object): Record<string, KubeObject[]> => {
  const [one] = structuredClone(OBJECTS.federations ?? []);
  return { ...OBJECTS, federations: [{ ...one, ...more } as KubeObject] };
};

describe('leave', () => {
  test('sends no pods out any more, brings its own home and has everybody told, with the time of each step', async () => {
    const { code, out, error, writes } = await headcut('leave --force', withAgent());
    expect([code, `\n${out}`, `\n${error}`]).toMatchSnapshot();
    expect(writes.slice(0, 2)).toEqual([
      'patch nodes/headcut-b {"spec":{"unschedulable":true}}',
      'patch nodes/headcut-c {"spec":{"unschedulable":true}}',
    ]);
    expect(writes.at(-1)).toMatch(/^patch federations\/headcut .*headcut\.dev\/leave/);
  });

  test('leaves within a minute without the agent, and says what is missing on the other side', async () => {
    const clock = jumpingClock(NOW);
    const { code, out, writes } = await headcut('leave --force', new FixedCluster(), { clock });
    expect([code, `\n${out}`]).toMatchSnapshot();
    expect(writes).toEqual(expect.arrayContaining(['delete peers/b', 'delete peers/c']));
    expect(clock.monotonic()).toBeLessThan(60_000);
  });

  test('again, it has nothing to do and writes nothing', async () => {
    const { cluster } = await headcut('leave --force', withAgent());
    cluster.writes.length = 0;
    const { code, out, writes } = await headcut('leave', cluster);
    expect([code, out, writes]).toEqual([0, '[  0.0s] this cluster is in no federation; nothing to do\n', []]);
  });

  test('says beforehand what it would do, with --dry-run, and tells its steps as data', async () => {
    const { out, writes } = await headcut('leave --dry-run');
    expect([out, writes]).toEqual([
      'Would bring home 5 pods, give up 1 pod of others that is here, and tell 2 members.\n',
      [],
    ]);
    const steps = JSON.parse((await headcut('leave --force -o json', withAgent())).out) as object[];
    expect(steps.at(-1)).toEqual({ type: 'left', members: 2 });
  });

  test('tells what did not come home, and why, and goes on', async () => {
    const cluster = withAgent();
    cluster.client.create = () => Promise.reject(new Error('no'));
    const { code, out } = await headcut('leave --force', cluster);
    expect(code).toBe(0);
    expect(out).toMatch(/not everything came home from b: no\n[\s\S]*left the federation\n$/);
  });
});

describe('join', () => {
  const token = formatJoinToken({
    endpoints: ['192.0.2.2:7443'],
    inviter: 'b'.repeat(52),
    invitation: '0a',
    secret: 's',
    expiresAt: NOW + 15 * 60_000,
  });
  const at = async (hours: number) => {
    const clock = { ...jumpingClock(NOW), now: () => NOW + hours * 3_600_000 };
    const cluster = new FixedCluster();
    return { ...(await run(['join', token], cluster.client, { clock })), writes: cluster.writes };
  };

  test('leaves it to the clock of the inviting member whether a token holds still, even when ours is an hour off', async () => {
    const { error, writes } = await at(1.5);
    expect(error).not.toContain('expired');
    expect(writes.join()).toContain('create secrets/');
  });

  test('spares the way to the inviting member when a token is old beyond doubt', async () => {
    const { code, error, writes } = await at(30);
    expect([code, error, writes]).toEqual([1, expect.stringMatching(/expired at .*; run headcut invite again/), []]);
  });
});

describe('forget', () => {
  test('removes the peer alone, and says how it may come back', async () => {
    const { code, out, error, writes, cluster } = await headcut('forget c', forgetful());
    expect([code, error, writes]).toEqual([0, '', ['delete peers/c']]);
    expect(out).toBe('Forgot c; the other members still know it. It comes back only by a new invitation.\n');
    expect(await headcut('forget c', cluster)).toMatchObject({
      code: 1,
      error: 'error: there is no peer c; headcut peers lists them\n',
    });
  });

  test('ends also without the agent, and says what is missing on this side', async () => {
    const clock = jumpingClock(NOW);
    const { code, error } = await headcut('forget c', new FixedCluster(), { clock });
    expect([code, error]).toEqual([0, expect.stringMatching(/^Missing on this side: node headcut-c .*once it runs/)]);
    expect(clock.monotonic()).toBeLessThan(15_000);
  });

  test('says which pods the virtual node has to wait for', async () => {
    const cluster = new FixedCluster();
    const node = cluster.objects.nodes?.find((one) => one.metadata.name === 'headcut-c') as Node;
    node.status = { ...node.status, conditions: [{ type: 'Ready', status: 'False', reason: 'PeerLeft' }] };
    const { code, out, error } = await headcut('forget c', cluster);
    expect([code, out]).toEqual([0, expect.stringContaining('Forgot c;')]);
    expect(error).toMatch(
      /^3 pods of which there must be one may still run there: .*the virtual node stays until then\n$/,
    );
  });

  test('leaves pods that explain says what they wait for', async () => {
    const cluster = new FixedCluster({
      ...OBJECTS,
      peers: (OBJECTS.peers ?? []).filter(({ metadata }) => metadata.name !== 'c'),
    });
    const { out } = await headcut('explain pod web-3 -n demo', cluster);
    expect(out).toMatch(
      /^Pod demo\/web-3 was sent to a cluster that is no member any more; .*Node headcut-c stays until then\./s,
    );
  });

  test('says who holds a peer that does not go', async () => {
    const cluster = new FixedCluster();
    const held = cluster.objects.peers?.find((one) => one.metadata.name === 'c');
    if (held !== undefined) held.metadata.finalizers = ['example.com/mine'];
    cluster.client.delete = () => Promise.resolve();
    expect(await headcut('forget c', cluster)).toMatchObject({
      code: 1,
      error: expect.stringMatching(/something holds it: 1 finalizer \(example.com\/mine\)/),
    });
  });

  test('says beforehand whose pods it is about, with --dry-run', async () => {
    const { out, writes } = await headcut('forget c --dry-run');
    expect([out, writes]).toEqual(['Would forget c, to which 3 pods of ours are bound.\n', []]);
  });

  test('says what becomes of the pods of the peer that run here', async () => {
    const cluster = forgetful();
    const guest = { name: 'guest', namespace: 'twin', labels: { 'headcut.dev/origin-cluster': 'c'.repeat(52) } };
    cluster.objects.pods?.push({ metadata: guest, spec: { containers: [] } } as KubeObject);
    expect((await headcut('forget c --dry-run', cluster)).out).toContain('are bound, and end 1 pod of it here.\n');
    expect((await headcut('forget c', cluster)).out).toContain('In a minute 1 pod of it here ends, unless it is back');
  });

  /** With an agent that removes the virtual node. */
  function forgetful(): FixedCluster {
    const cluster = new FixedCluster();
    const { client } = cluster;
    const { delete: remove } = client;
    client.delete = async (...args) => {
      await remove(...args);
      cluster.objects.nodes = (cluster.objects.nodes ?? []).filter((one) => one.metadata.name !== 'headcut-c');
    };
    return cluster;
  }
});

describe('approve', () => {
  const d = { id: 'd'.repeat(52), name: 'd', vouchedBy: 'b'.repeat(52) };
  const twin = { ...d, id: 'e'.repeat(52) };
  const status = (pending: object[]) => ({ spec: { admission: 'Manual' }, status: { id: 'a', name: 'a', pending } });

  test('adds the newcomer to those that are approved', async () => {
    const { out, writes } = await headcut('approve d', new FixedCluster(federation(status([d]))));
    expect(out).toBe('Approved d (dddddddddddd).\n');
    expect(writes).toEqual([`patch federations/headcut {"spec":{"approved":["${d.id}"]}}`]);
  });

  test('lets a member use this cluster that came in by the word of others, where the terms ask for that', async () => {
    const waiting = federation({});
    const [object] = waiting.federations ?? [];
    const cluster = new FixedCluster({
      ...waiting,
      federations: [{ ...object, spec: { terms: [{ use: 'AfterApproval' }] } } as NonNullable<typeof object>],
    });
    const { out, writes } = await headcut('approve b', cluster);
    expect(out).toBe('Approved b (bbbbbbbbbbbb).\n');
    expect(writes).toEqual([`patch federations/headcut {"spec":{"approved":["${'b'.repeat(52)}"]}}`]);
  });

  test('writes nothing for who is a member already, nor with --dry-run', async () => {
    expect(await headcut('approve b')).toMatchObject({
      code: 0,
      out: 'b (bbbbbbbbbbbb) is a member already.\n',
      writes: [],
    });
    const dry = await headcut('approve d --dry-run', new FixedCluster(federation(status([d]))));
    expect(dry).toMatchObject({ out: 'Would approve d (dddddddddddd).\n', writes: [] });
  });

  test.each([
    [status([d]), 'approve x', /nobody named x waits for approval; waiting: d\n/],
    [{}, 'approve x', /waiting: nobody; this member lets newcomers in at once/],
    [status([d, twin]), 'approve d', /2 newcomers are named d; say which by its ID: dddd.*, eeee/],
  ])('says what is wrong: %#', async (more, line, message) => {
    const { code, error, writes } = await headcut(line, new FixedCluster(federation(more)));
    expect([code, error, writes]).toEqual([1, expect.stringMatching(message), []]);
  });

  test('waits until the newcomer can be used, with --wait', async () => {
    const cluster = new FixedCluster(federation(status([d])));
    cluster.onPatch = () => addReadyPeer(cluster, d);
    const { code, error } = await headcut('approve d --wait', cluster);
    expect([code, error]).toEqual([0, '[  0.0s] d is connected, and its node is Ready\n']);
  });

  test('says what a newcomer lacks that does not come within --timeout', async () => {
    const { code, error } = await headcut('approve d --wait --timeout 5s', new FixedCluster(federation(status([d]))));
    expect(code).toBe(1);
    expect(error).toMatch(/not ready after 5s: d+ \(not known here yet\); it goes on by itself/);
  });

  function addReadyPeer(cluster: FixedCluster, { id, name }: { id: string; name: string }): void {
    const [sample] = (OBJECTS.peers ?? []) as PeerObject[];
    const node = OBJECTS.nodes?.find((one) => one.metadata.name === 'headcut-b');
    if (sample === undefined || node === undefined) throw new Error('the fixture changed');
    const peer: PeerObject = { ...sample, metadata: { name }, spec: { ...sample.spec, id, name } };
    cluster.objects.peers?.push(peer);
    cluster.objects.nodes?.push({ ...node, metadata: { name: `headcut-${name}`, labels: { 'headcut.dev/peer': id } } });
  }
});

describe('invitations', () => {
  const invitation = (name: string, data: object): KubeObject =>
    ({
      metadata: {
        name: `headcut-invitation-${name}`,
        namespace: 'headcut-system',
        labels: { 'headcut.dev/invitation': 'true' },
      },
      data: encodeData({ secretHash: 'x', ...data }),
    }) as KubeObject;
  const at = (minutes: number) => new Date(NOW + minutes * 60_000).toISOString();
  const use = (name: string) => JSON.stringify([{ id: name.repeat(52), name, at: at(-1) }]);
  const secrets = [
    invitation('0a', { expiresAt: at(12), maxUses: 3, uses: use('c') }),
    invitation('0b', { expiresAt: at(-30), maxUses: 1 }),
    invitation('0c', { expiresAt: at(10), maxUses: 1, uses: use('b') }),
  ];
  const cluster = () => new FixedCluster({ ...OBJECTS, secrets });

  test.each(['invitations', 'invitations -o name', 'invitations -o json'])('headcut %s', async (line) => {
    const { code, out, error } = await headcut(line, cluster());
    expect([code, error, `\n${out}`]).toMatchSnapshot();
  });

  test('can be ended; ending one that is not there says so', async () => {
    const { out, writes, cluster: after } = await headcut('invitations --revoke 0a', cluster());
    expect(out).toBe('Ended invitation 0a: nobody joins with it any more, and who did stays.\n');
    expect(writes).toEqual(['delete secrets/headcut-invitation-0a']);
    expect(await headcut('invitations --revoke 0a', after)).toMatchObject({
      code: 1,
      error: 'error: there is no invitation 0a; headcut invitations lists them\n',
    });
  });

  test('where there are none it says so, and where there is no headcut it says that', async () => {
    expect((await headcut('invitations')).out).toBe('No invitations. headcut invite makes one.\n');
    expect(await headcut('invitations', new FixedCluster({}))).toMatchObject({
      code: 1,
      error: expect.stringMatching(/headcut agent has not started|not installed/),
    });
  });

  test('invite --wait tells who joined, and ends when nobody can join any more', async () => {
    const there = new FixedCluster({ ...OBJECTS, secrets: [] });
    const { client } = there;
    client.create = ((_type: unknown, object: KubeObject & { data: Record<string, string> }) => {
      const uses = use('d');
      there.objects.secrets?.push({ ...object, data: { ...object.data, ...encodeData({ uses }) } } as KubeObject);
      return Promise.resolve(object);
    }) as unknown as typeof client.create;
    const { code, error } = await headcut('invite --wait', there);
    expect([code, error]).toEqual([0, expect.stringMatching(/\] d joined\n$/)]);
  });

  test('invite --wait fails when nobody came', async () => {
    const there = new FixedCluster({ ...OBJECTS, secrets: [] });
    const { client } = there;
    client.create = ((_type: unknown, object: KubeObject) => {
      there.objects.secrets?.push(object);
      return Promise.resolve(object);
    }) as unknown as typeof client.create;
    expect(await headcut('invite --wait --ttl 1m', there)).toMatchObject({
      code: 1,
      error: expect.stringMatching(/nobody joined with invitation \w+, which has expired; run headcut invite again\n$/),
    });
  });
});

test.each(['leave', 'invite --wait', 'approve c --wait'])(
  'headcut %s ends at once when it is interrupted, and says how to go on',
  async (line) => {
    const interrupted = new AbortController();
    interrupted.abort(new Error('interrupted'));
    const { code, error } = await headcut(line, new FixedCluster(), { signal: interrupted.signal });
    expect([code, error]).toEqual([1, expect.stringMatching(/interrupted; nothing is half done/)]);
  },
);
