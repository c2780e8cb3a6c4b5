import { describe, expect, test } from 'vitest';
import { FixedCluster, OBJECTS } from './cluster-fixture.ts';
import { run } from './run.ts';

const move = async (line: string, cluster = new FixedCluster()) => {
  const result = await run(line.split(' '), cluster.client);
  return { ...result, writes: cluster.writes, cluster };
};

describe('offload', () => {
  test('labels the namespace, once', async () => {
    const { out, writes } = await move('offload default');
    expect(out).toBe('Namespace default is offloaded: its new pods may run on other members.\n');
    expect(writes).toEqual(['patch namespaces/default {"metadata":{"labels":{"headcut.dev/offload":"true"}}}']);
    expect((await move('offload demo')).writes).toEqual([]);
  });

  test('says that NetworkPolicies stay behind, as explain does', async () => {
    const policies = ['allow-web', 'deny-all'].map((name) => ({ metadata: { name, namespace: 'demo' } }));
    const cluster = new FixedCluster({ ...OBJECTS, networkpolicies: policies });
    const told = /^Its 2 NetworkPolicies \(allow-web, deny-all\) hold at home only/;
    expect((await move('offload demo', cluster)).error).toMatch(told);
    expect((await move('explain ns demo', cluster)).out).toContain('Its 2 NetworkPolicies (allow-web, deny-all) hold');
    expect((await move('offload default', cluster)).error).not.toContain('NetworkPolic');
  });

  test('writes nothing with --dry-run', async () => {
    expect(await move('offload default --dry-run')).toMatchObject({ code: 0, writes: [] });
  });
});

describe('unoffload', () => {
  test('closes the door first, then brings home what is elsewhere and would be made anew', async () => {
    const { code, out, writes } = await move('unoffload demo');
    expect(code).toBe(0);
    expect(writes).toEqual([
      'patch namespaces/demo {"metadata":{"labels":{"headcut.dev/offload":null}}}',
      ...['web-2', 'web-3', 'pinned', 'refused'].map((name) => `create pods/eviction ${name}`),
    ]);
    expect(out).toMatch(/\[ +0\.\ds\] new pods stay at home\n/);
    expect(out).toContain('left demo/loner: nothing would make it anew; --force evicts it too');
    expect(out).toContain('done, 4 pods moved');
  });

  test('again finds nothing to do; with --force it takes also what has no controller', async () => {
    const { cluster } = await move('unoffload demo');
    cluster.writes.length = 0;
    expect((await move('unoffload demo --force', cluster)).writes).toContain('create pods/eviction loner');
  });

  test('leaves pods where they are with --keep-pods', async () => {
    expect((await move('unoffload demo --keep-pods')).writes).toHaveLength(1);
  });

  test('says what is left when the time is over', async () => {
    const cluster = new FixedCluster();
    // Evictions are accepted, and nothing ends.
    const { create } = cluster.client;
    cluster.client.create = ((type: never, object: never) => create(type, object)) as typeof create;
    const { code, error } = await run(['unoffload', 'demo', '--timeout', '0s'], cluster.client);
    expect(code).toBe(1);
    expect(error).toMatch(/4 pods are still there after 0s.*run the same command again/);
  });
});

describe('drain', () => {
  test('cordons the virtual node and moves our pods there', async () => {
    const { writes } = await move('drain b');
    expect(writes).toEqual([
      'patch nodes/headcut-b {"spec":{"unschedulable":true}}',
      'create pods/eviction web-2',
      'create pods/eviction refused',
    ]);
  });

  test('can be taken back, and tells its steps as data', async () => {
    expect((await move('drain b --undo')).out).toBe('Pods go to b already (headcut-b).\n');
    const steps = JSON.parse((await move('drain b -o json')).out) as { type: string }[];
    expect(steps.map(({ type }) => type)).toEqual(['cordoned', 'evicted', 'evicted', 'gone']);
  });

  test('without a peer asks the peers to move their pods away from here, says what stays, and can be taken back', async () => {
    const { code, error, writes } = await move('drain --timeout 0s');
    expect(writes).toEqual(['patch federations/headcut {"spec":{"maintenance":true}}']);
    expect(code).toBe(1);
    expect(error).toMatch(/pods? of peers are still here after 0s \(.*\): nothing would make them anew/);
    expect((await move('drain --undo')).out).toBe('This cluster takes pods of its peers already.\n');
  });

  test('writes nothing with --dry-run', async () => {
    const { writes, out } = await move('drain b --dry-run');
    expect(writes).toEqual([]);
    expect(out).toContain('2 pods would be moved');
  });
});
