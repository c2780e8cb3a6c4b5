import { describe, expect, it } from 'vitest';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import { VoucherTree } from '../../../src/core/membership/voucher-tree.ts';

/** `name<voucher` */
const member = (text: string): PeerRecord => {
  const [id = '', by] = text.split('<');
  return { id, name: id, ...(by === undefined ? {} : { vouch: { by, signature: '' } }) } as PeerRecord;
};
const treeOf = (members: string, limits = {}) =>
  new VoucherTree(new Map(members.split(' ').map((text) => [member(text).id, member(text)])), 'own', {
    broughtIn: 3,
    broughtInByOwn: 5,
    ...limits,
  });

describe('how many newcomers one member may bring in', () => {
  it('counts those that it brought in itself', () => {
    const tree = treeOf('bad<x x<own a<bad b<bad');
    expect(tree.problemOf(member('c<bad'), false)).toBeUndefined();
    tree.add(member('c<bad'));
    expect(tree.problemOf(member('d<bad'), false)).toMatch(/^bad and those it brought in vouch for 3 members already/);
    expect(tree.problemOf(member('d<x'), false)).toBeUndefined();
  });

  it('counts those that they brought in as well, however deep', () => {
    const tree = treeOf('bad<x x<own a<bad b<a c<b');
    for (const voucher of ['bad', 'a', 'b', 'c'])
      expect(tree.problemOf(member(`d<${voucher}`), false)).toMatch(/^bad and those/);
    expect(tree.problemOf(member('d<x'), false)).toBeUndefined();
  });

  it('is more for one that this member let in itself, and has an end too', () => {
    const tree = treeOf('friend<own a<friend b<friend c<friend d<friend');
    expect(tree.problemOf(member('e<friend'), false)).toBeUndefined();
    tree.add(member('e<friend'));
    expect(tree.problemOf(member('f<friend'), false)).toMatch(
      /vouch for 5 members already.*let another member invite it/,
    );
  });

  it('does not count for whom this member lets in itself, other than in all', () => {
    const tree = treeOf('friend<own a<friend b<friend c<friend d<friend e<friend', { members: 7 });
    expect(tree.problemOf(member('f<friend'), true)).toBeUndefined();
    tree.add(member('f<friend'));
    expect(tree.problemOf(member('g<own'), true)).toBe('there are 7 other members already');
  });

  it('is none for one that was not let in itself', () => {
    expect(treeOf('x<own').problemOf(member('b<a'), false)).toMatch(/was not let in itself/);
    expect(treeOf('x<own').problemOf(member('b<own'), false)).toBeUndefined();
  });

  it('is not confused by members that vouch for each other in a circle', () => {
    const tree = treeOf('a<b b<a c<a');
    expect(tree.problemOf(member('d<c'), false)).toMatch(/and those it brought in/);
  });
});
