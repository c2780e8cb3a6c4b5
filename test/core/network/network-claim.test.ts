import { describe, expect, it } from 'vitest';
import {
  type ClaimInput,
  DEFAULT_NETWORK_RANGE,
  type NetworkClaim,
  planClaim,
  problemOfForm,
  problemOfPlace,
} from '../../../src/core/network/network-claim.ts';
import { contains, parsePrefix } from '../../../src/core/network/prefix.ts';
import { createWireGuardKeys } from '../../../src/core/network/wireguard-key.ts';

const { publicKey: KEY } = createWireGuardKeys();

function input(overrides: Partial<ClaimInput> = {}): ClaimInput {
  const range = DEFAULT_NETWORK_RANGE;
  const nobody = { held: [], claimed: [], used: [] };
  return {
    ...{ id: 'aa', present: undefined, publicKey: KEY, port: 51820, podCidr: '10.244.0.0/24', range, now: 1_000 },
    ...nobody,
    ...overrides,
  };
}

function claimed(overrides: Partial<ClaimInput> = {}): NetworkClaim {
  const plan = planClaim(input(overrides));
  if ('refused' in plan) throw new Error(plan.refused.message);
  return plan.claim;
}

const networks = (...texts: string[]) => texts.map(parsePrefix);

describe('the claim of a prefix', () => {
  it('follows from the ID alone where nobody else is', () => {
    expect(claimed()).toEqual(claimed({ now: 1_000 }));
    expect(claimed().prefix).not.toBe(claimed({ id: 'bb' }).prefix);
    expect(contains(parsePrefix(DEFAULT_NETWORK_RANGE), parsePrefix(claimed().prefix))).toBe(true);
  });

  it('stays as it is, whatever others claim', () => {
    const first = claimed();
    expect(
      claimed({ present: first, claimed: networks(first.prefix), held: networks(first.prefix), now: 9_000 }),
    ).toEqual(first);
  });

  it('is another one, with a new date, where it has to be given up', () => {
    const first = claimed({ now: 5_000 });
    const second = claimed({ present: first, mustMove: true, now: 9_000 });
    expect(second.prefix).not.toBe(first.prefix);
    expect(second.since).toBe(9_000);
  });

  it('keeps off what this node uses for something else, also when it does so later', () => {
    const first = claimed();
    const second = claimed({ present: first, used: networks(first.prefix) });
    expect(second.prefix).not.toBe(first.prefix);
    expect(claimed({ used: networks(first.prefix) }).prefix).toBe(second.prefix);
  });

  it('is made anew when the range or the size of the pod network changes', () => {
    const first = claimed();
    expect(claimed({ present: first, range: '198.18.0.0/15' }).prefix).toMatch(/^198\.1[89]\./);
    expect(claimed({ present: first, podCidr: '10.244.0.0/23' }).prefix).toMatch(/\/23$/);
    expect(claimed({ present: first, podCidr: '10.99.0.0/24', now: 9_000 })).toEqual({
      ...first,
      podCidr: '10.99.0.0/24',
    });
  });

  it('is refused where the range is smaller than the pod network', () => {
    expect(planClaim(input({ range: '100.64.0.0/24', podCidr: '10.244.0.0/16' }))).toMatchObject({
      refused: { reason: 'RangeTooSmall' },
    });
  });

  it('finds the last free network of a full range, past any number of addresses that are taken', () => {
    const held = networks('192.168.0.0/24', '192.168.1.0/24', '192.168.3.0/24');
    expect(claimed({ range: '192.168.0.0/22', held }).prefix).toBe('192.168.2.0/24');
    expect(claimed({ range: '10.0.0.0/8', podCidr: '10.1.0.0/30', held: networks('10.0.0.0/9') }).prefix).toMatch(
      /\/30$/,
    );
  });

  it('takes what others only claim before it goes without', () => {
    const range = '192.168.0.0/23';
    const held = networks('192.168.0.0/24');
    expect(claimed({ range, held, claimed: networks('192.168.1.0/24') }).prefix).toBe('192.168.1.0/24');
    expect(planClaim(input({ range, held, used: networks('192.168.1.7/32') }))).toMatchObject({
      refused: { reason: 'RangeFull' },
    });
  });
});

describe('the claim of another member', () => {
  const limits = { range: DEFAULT_NETWORK_RANGE, largest: 24 };
  it.each([
    ['100.64.5.0/24', '10.244.0.0/24', undefined],
    ['100.64.5.0/26', '10.244.0.0/26', undefined],
    ['10.96.0.0/24', '10.244.0.0/24', 'OtherRange'],
    ['0.0.0.0/0', '0.0.0.0/0', 'TooLarge'],
    ['100.64.0.0/16', '10.244.0.0/16', 'TooLarge'],
    ['100.64.5.4/31', '10.244.0.0/31', 'InvalidClaim'],
    ['100.64.5.0/24', '10.244.0.0/23', 'InvalidClaim'],
    ['100.064.5.0/24', '10.244.0.0/24', 'InvalidClaim'],
    ['100.99.5.0/24', '10.244.0.0/24', 'InUse'],
  ])('%s for %s: %s', (prefix, podCidr, reason) => {
    const claim = { publicKey: KEY, port: 51820, podCidr, prefix, since: 1 };
    const problem = problemOfForm(claim, limits) ?? problemOfPlace(claim, limits.range, networks('100.99.5.128/25'));
    expect(problem?.reason).toBe(reason);
  });
});
