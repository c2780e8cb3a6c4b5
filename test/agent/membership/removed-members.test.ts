import { beforeAll, describe, expect, it } from 'vitest';
import { type RemovedMember, RemovedMembers } from '../../../src/agent/membership/removed-members.ts';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import { createMember, resigned, type TestMember, withNextKey } from '../../core/membership/member-fixture.ts';

let one: TestMember;
let renewed: TestMember;

beforeAll(async () => {
  one = await createMember('one');
  renewed = await withNextKey(one);
});

/** What is stored, and a life of the agent that starts with it. */
function createStore(entries: RemovedMember[] = []) {
  const store = {
    entries,
    load: () => store.entries,
    save: async (after: RemovedMember[]) => {
      store.entries = after;
    },
  };
  return store;
}

describe('members that are none any more', () => {
  it('are remembered in a Secret of a megabyte, however many there are and however often they replaced their keys', async () => {
    const store = createStore();
    const removed = new RemovedMembers(store);
    const certificate = 'x'.repeat(12_288);
    const last = resigned(one, { left: true, incarnation: 5 });
    for (let i = 0; i < 700; i += 1) {
      const id = `${i}`.padStart(52, 'a');
      // Of a chain as long as there can be.
      const record = { ...last, id, vouch: { by: one.id, signature: '' } } as PeerRecord;
      await removed.leave(i % 2 === 0 ? record : { ...record, signature: certificate });
      await removed.forget(`${i}`.padStart(52, 'b'));
      removed.former.went(record, [], i);
    }
    const bytes = Buffer.from(JSON.stringify(store.entries)).toString('base64').length;
    expect(bytes).toBeLessThan(600_000);
    expect(removed.left().length).toBeGreaterThan(3);
    expect(new RemovedMembers(store).lastWords()).toHaveLength(500);
  });

  it('are read as former versions wrote them', () => {
    const last = resigned(one, { left: true, incarnation: 5 });
    const removed = new RemovedMembers(createStore([renewed.id.replace(/./g, 'b'), last]));
    expect(removed.left()).toEqual([last]);
    expect(removed.refuses(resigned(one, { incarnation: 5 }))).toBe(true);
    expect(removed.refuses(resigned(one, { incarnation: 6 }))).toBe(false);
    expect(removed.isForgotten('b'.repeat(52))).toBe(true);
  });

  it('come back with a later key, and by no earlier one than that of their last word', async () => {
    const left = new RemovedMembers(createStore());
    await left.leave(resigned(one, { left: true, incarnation: 5 }));
    expect(left.refuses(renewed.record)).toBe(false);
    const later = new RemovedMembers(createStore());
    await later.leave(resigned(renewed, { left: true, incarnation: 5 }));
    expect(later.refuses(resigned(one, { incarnation: 99 }))).toBe(true);
    expect(later.refuses(resigned(renewed, { incarnation: 6 }))).toBe(false);
  });
});
