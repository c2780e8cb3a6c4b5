import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COUNTED_FOR_MS, type FormerMember, neededFormer, toFormer } from '../../../src/core/membership/lineage.ts';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import { DEFAULT_VOUCHED_LIMIT, limitsFrom, VoucherTree } from '../../../src/core/membership/voucher-tree.ts';

/** `name<voucher` or `name<voucher<origin` */
const member = (text: string): PeerRecord => {
  const [id = '', by, origin] = text.split('<');
  const vouch = by === undefined ? {} : { vouch: { by, signature: '', ...(origin === undefined ? {} : { origin }) } };
  return { id, name: id, ...vouch } as PeerRecord;
};
const membersOf = (text: string) => new Map(text.split(' ').map((one) => [member(one).id, member(one)]));
const LATER = 10 * COUNTED_FOR_MS;

/** Members that come and go, and what is remembered of those that went. */
class Federation {
  members: Map<string, PeerRecord>;
  former = new Map<string, FormerMember>();
  now = 0;
  constructor(text: string) {
    this.members = membersOf(text);
  }
  leave(...ids: string[]): void {
    for (const id of ids) {
      const gone = this.members.get(id);
      if (gone === undefined) continue;
      this.members.delete(id);
      this.former.set(id, toFormer(gone, this.former, this.now));
      this.former = new Map(neededFormer(this.former, this.members.values(), this.now).map((one) => [one.id, one]));
    }
  }
  tree(limits = { broughtIn: 3, broughtInByOwn: 5 }, dismissed: string[] = []): VoucherTree {
    return new VoucherTree(this.members, 'own', limits, { former: this.former, now: this.now, dismissed });
  }
}

describe('limits of those whom a member brought in', () => {
  it('hold for those as well when it is gone, however long ago', () => {
    const federation = new Federation('x<own bad<x a<bad b<bad c<bad');
    federation.leave('bad');
    federation.now = LATER;
    expect(federation.tree().problemOf(member('d<a'), false)).toMatch(/^the former member bad and those it brought in/);
    expect(federation.tree().problemOf(member('d<x'), false)).toBeUndefined();
  });

  it('hold through a row of members that are gone, in whatever order they went', () => {
    for (const order of [
      ['bad', 'a', 'b'],
      ['b', 'a', 'bad'],
      ['a', 'bad', 'b'],
    ]) {
      const federation = new Federation('x<own bad<x a<bad b<a c<b d<b e<b');
      federation.leave(...order);
      federation.now = LATER;
      expect(federation.tree().problemOf(member('f<c'), false), order.join()).toMatch(/former member/);
    }
  });

  it('are those of its honest inviter no more once this member banned it with them', () => {
    const federation = new Federation('honest<x x<own bad<honest a<bad b<a c<bad');
    federation.leave('bad', 'a', 'b', 'c');
    const limits = { broughtIn: 3, broughtInByOwn: 5 };
    const problem = (dismissed: string[]) =>
      federation.tree(limits, dismissed).problemOf(member('friend<honest'), false);
    expect(problem([]), 'that left, to make room').toMatch(/^honest and those it brought in/);
    expect(problem(['bad'])).toBeUndefined();
    expect(problem(['somebody else'])).toMatch(/^honest and those/);
  });

  it('make no room for the next one within an hour when one leaves', () => {
    const federation = new Federation('x<own bad<x a<bad b<bad c<bad');
    federation.leave('a', 'b', 'c');
    expect(federation.tree().problemOf(member('d<bad'), false)).toMatch(/^bad and those/);
    federation.now = LATER;
    expect(federation.tree().problemOf(member('d<bad'), false)).toBeUndefined();
  });

  it('count those whose word another member passes on for both', () => {
    const tree = new Federation('b<own x<own a<b<bad c<b<bad d<b<bad').tree();
    expect(tree.problemOf(member('e<a'), false)).toMatch(/former member bad/);
    expect(tree.problemOf(member('e<b'), false)).toBeUndefined();
  });

  it('remember no more than what members hang on, and the last hour', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.boolean()), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (all) => {
        const federation = new Federation('root<own');
        for (const [i, [pick, goes]] of all.entries()) {
          federation.now += COUNTED_FOR_MS / 10;
          const ids = [...federation.members.keys()];
          const one = ids[pick % ids.length] as string;
          if (goes && ids.length > 1) federation.leave(one);
          else federation.members.set(`m${i}`, member(`m${i}<${one}`));
        }
        federation.leave('nobody', [...federation.members.keys()].at(-1) as string);
        expect(federation.former.size).toBeLessThanOrEqual(2 * federation.members.size + 12);
        // Whoever is there came through the first of all, which is known of each.
        for (const record of federation.members.values())
          if (record.id !== 'root') expect(federation.tree().lineageOf(record)).toContain('root');
      }),
    );
  });
});

describe('how many members there are by the word of others', () => {
  it('is a few dozen until somebody says more, whoever vouches for them', () => {
    const tree = new VoucherTree(membersOf('a<own b<own c<own d<own'), 'own');
    let let_in = 0;
    for (let i = 0; i < 400; i += 1) {
      const one = member(`m${i}<${'abcd'[i % 4]}`);
      if (tree.problemOf(one, false) !== undefined) continue;
      tree.add(one);
      let_in += 1;
    }
    expect(let_in).toBe(DEFAULT_VOUCHED_LIMIT);
    expect(tree.problemOf(member('n<a'), false)).toMatch(/spec.vouchedLimit/);
    expect(tree.problemOf(member('n<own'), false)).toBeUndefined();
  });

  it('is enough for a federation of fifty in which all came through one', () => {
    const tree = new VoucherTree(membersOf('first<own'), 'own');
    for (let i = 0; i < 48; i += 1) {
      expect(tree.problemOf(member(`m${i}<first`), false)).toBeUndefined();
      tree.add(member(`m${i}<first`));
    }
  });

  it('grows with the setting', () => {
    expect(limitsFrom(0)).toMatchObject({ byOthers: 0, broughtIn: 0, broughtInByOwn: 0 });
    expect(limitsFrom(499)).toMatchObject({ byOthers: 499, broughtIn: 249, broughtInByOwn: 399, members: 499 });
  });
});
