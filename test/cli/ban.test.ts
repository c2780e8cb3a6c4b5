import { describe, expect, test } from 'vitest';
import { FixedCluster, OBJECTS } from './cluster-fixture.ts';
import { run } from './run.ts';

const id = (letter: string): string => letter.repeat(52);

function clusterWith(banned: string[]): FixedCluster {
  const [federation] = OBJECTS.federations ?? [];
  if (federation === undefined) throw new Error('the fixture changed');
  return new FixedCluster({ ...OBJECTS, federations: [{ ...federation, spec: { banned } }] });
}

async function headcut(line: string, cluster = new FixedCluster()) {
  const result = await run(line.split(' '), cluster.client);
  return { ...result, writes: cluster.writes };
}

describe('ban', () => {
  test('keeps a peer out by its ID, and says who still knows it and how it ends', async () => {
    const { code, out, writes } = await headcut('ban c', clusterWith([id('d')]));
    expect([code, out]).toEqual([
      0,
      'Banned c (cccccccccccc); the other members still know it. headcut unban cccccccccccc ends that.\n',
    ]);
    expect(writes).toEqual([`patch federations/headcut {"spec":{"banned":["${id('d')}","${id('c')}"]}}`]);
  });

  test('takes the ID of a cluster that is no peer', async () => {
    const { out, writes } = await headcut(`ban ${id('x')}`);
    expect([out, writes]).toEqual([
      'Banned xxxxxxxxxxxx; the other members still know it. headcut unban xxxxxxxxxxxx ends that.\n',
      [`patch federations/headcut {"spec":{"banned":["${id('x')}"]}}`],
    ]);
  });

  test('writes nothing for who is banned already, nor with --dry-run', async () => {
    const again = await headcut('ban c', clusterWith([id('c')]));
    expect([again.out, again.writes]).toEqual(['c (cccccccccccc) is banned already.\n', []]);
    const dry = await headcut('ban c --dry-run');
    expect([dry.out, dry.writes]).toEqual(['Would ban c (cccccccccccc).\n', []]);
  });

  describe('of one by whose word others came in', () => {
    const inventors = () => {
      const [federation] = OBJECTS.federations ?? [];
      const [b, c] = OBJECTS.peers ?? [];
      if (federation === undefined || b === undefined || c === undefined) throw new Error('the fixture changed');
      const { spec } = b as { spec?: object };
      const status = { cameThrough: [id('z'), id('c')], broughtInBy: 'z' };
      const through = { ...b, metadata: { name: 'through' }, spec: { ...spec, id: id('t') }, status };
      const direct = { ...b, spec: { ...spec, vouch: { by: id('c'), signature: '' } } };
      return new FixedCluster({ ...OBJECTS, peers: [through, direct, c], federations: [{ ...federation, spec: {} }] });
    };

    test('says who stays, and how they go as well', async () => {
      const { out, writes } = await headcut('ban c', inventors());
      expect(out).toContain('2 peers came in by its word or by theirs: b, through; they stay.');
      expect(out).toContain('headcut ban c --with-newcomers ends theirs too');
      expect(writes).toEqual([`patch federations/headcut {"spec":{"banned":["${id('c')}"]}}`]);
    });

    test('keeps these out too, with --with-newcomers', async () => {
      const { out, writes } = await headcut('ban c --with-newcomers', inventors());
      expect(out).toContain('banned as well, but for those that headcut approve lets in');
      expect(writes).toEqual([
        `patch federations/headcut {"spec":{"banned":["${id('c')}"],"bannedNewcomers":["${id('c')}"]}}`,
      ]);
    });
  });

  test('says that nobody of that name is known', async () => {
    const { code, error, writes } = await headcut('ban nobody');
    expect([code, writes]).toEqual([1, []]);
    expect(error).toMatch(/there is no peer nobody; headcut peers lists them, and a cluster's ID does as well/);
  });
});

describe('unban', () => {
  test('ends a ban by the beginning of the ID, and says how the cluster comes back', async () => {
    const { out, writes } = await headcut('unban cccc', clusterWith([id('c'), id('d')]));
    expect(out).toBe('Unbanned cccccccccccc; it comes back by a new invitation of this cluster.\n');
    expect(writes).toEqual([`patch federations/headcut {"spec":{"banned":["${id('d')}"]}}`]);
  });

  test.each([
    [[id('d')], 'unban cc', /no cluster with the ID cc is banned here; banned: d{52}/],
    [[], 'unban cc', /banned: none/],
    [[id('c'), `${'c'.repeat(51)}d`], 'unban cc', /several banned clusters have IDs that start with cc/],
  ])('says what is wrong: %#', async (banned, line, message) => {
    const { code, error, writes } = await headcut(line, clusterWith(banned));
    expect([code, error, writes]).toEqual([1, expect.stringMatching(message), []]);
  });
});
