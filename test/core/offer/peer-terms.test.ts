import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Node } from '../../../src/core/kube-objects.ts';
import type { FederationObject, PeerObject } from '../../../src/core/membership/peer-object.ts';
import { computeOffer, fitsTerms, type Usage } from '../../../src/core/offer/compute-offer.ts';
import { stricterLevel, type TermsRule, useOf, useText } from '../../../src/core/offer/peer-terms.ts';
import { amountsFrom } from '../../../src/core/quantities/resources.ts';

const federation = (terms: TermsRule[], approved: string[] = []): FederationObject => ({
  metadata: { name: 'headcut' },
  spec: { terms, approved },
  status: { id: 'own' },
});
const peer = (id: string, labels: Record<string, string> = {}, by = 'own'): PeerObject => ({
  metadata: { name: id, labels },
  spec: { id, name: id, vouch: { by, signature: '' } } as PeerObject['spec'],
});

describe('what a peer may use', () => {
  it('is all that is free where nothing is said', () => {
    for (const one of [undefined, federation([]), federation([{ peers: ['other'], use: 'None' }])])
      expect(useText(useOf(peer('a'), one))).toBe('all that is free');
  });

  it('is said by the first entry for it, by its ID, by its labels, or for all', () => {
    const terms: TermsRule[] = [
      { peers: ['a'], limits: { cpu: 2, memory: '4Gi' } },
      { selector: { matchLabels: { site: 'lab', tier: 'x' } }, sharePercent: 25 },
      { use: 'None' },
    ];
    const of = (one: PeerObject) => useText(useOf(one, federation(terms)));
    expect(of(peer('a', { site: 'lab', tier: 'x' }))).toBe('at most 2 cpu, 4Gi memory');
    expect(of(peer('b', { site: 'lab', tier: 'x' }))).toBe('at most 25 % of what is not reserved');
    expect(of(peer('b', { site: 'lab' }))).toMatch(/^nothing: the terms/);
    expect(useOf({ id: 'a' }, federation(terms)).limits).toEqual({ cpu: '2', memory: '4Gi' });
    expect(useOf({ id: 'b' }, federation(terms)).closed).toMatch(/^the terms/);
  });

  it('is not said by a name, which a member gives itself', () => {
    const named = { ...peer('b'), metadata: { name: 'a' } };
    expect(useOf(named, federation([{ peers: ['a'], sharePercent: 10 }])).sharePercent).toBe(100);
  });

  it('is nothing for who came in by the word of others until it is approved, where it says so', () => {
    const terms: TermsRule[] = [{ use: 'AfterApproval' }];
    expect(useOf(peer('b', {}, 'friend'), federation(terms)).closed).toMatch(/waits for headcut approve b/);
    expect(useOf({ id: 'b' }, federation(terms)).closed).toBeDefined();
    expect(useOf(peer('b', {}, 'friend'), federation(terms, ['b'])).closed).toBeUndefined();
    expect(useOf(peer('b'), federation(terms)).closed).toBeUndefined();
  });

  it('asks for a stricter pod security standard, and never for a laxer one', () => {
    expect(stricterLevel('baseline', 'restricted')).toBe('restricted');
    expect(stricterLevel('baseline', 'privileged')).toBe('baseline');
    expect(stricterLevel('restricted', undefined)).toBe('restricted');
  });
});

const ready = [{ type: 'Ready', status: 'True' as const }];
const node = (cpu: number): Node => {
  const allocatable = { cpu: `${cpu}`, memory: '8Gi', pods: '110' };
  return { metadata: { name: 'n' }, status: { allocatable, capacity: allocatable, conditions: ready } };
};

describe('an offer under terms', () => {
  const offer = (terms: TermsRule[], usage: Usage[] = []) =>
    computeOffer([node(4)], usage, {
      peerId: 'a',
      reserve: amountsFrom({ cpu: '1' }),
      use: useOf(peer('a'), federation(terms)),
    });

  it('is no more than they say, of what they name', () => {
    expect(offer([{ limits: { cpu: '500m', pods: 3 } }]).allocatable).toEqual({
      cpu: '500m',
      memory: '8388608Ki',
      pods: '3',
    });
    expect(offer([{ sharePercent: 50 }]).allocatable).toEqual({ cpu: '1500m', memory: '4194304Ki', pods: '55' });
    expect(offer([{ sharePercent: 50, limits: { cpu: '8' } }]).allocatable.cpu).toBe('1500m');
    expect(offer([{ limits: { cpu: '8' } }]).allocatable.cpu).toBe('3');
  });

  it('is closed and not down where they say nothing is to be used', () => {
    expect(offer([{ use: 'None' }])).toMatchObject({ accepting: false, running: true, allocatable: {} });
  });

  it('and the admission of pods obey the same bound, whatever others and the peer have here', () => {
    const milli = fc.integer({ min: 0, max: 3_000 });
    const rule = fc.record({
      sharePercent: fc.integer({ min: 0, max: 100 }),
      limits: fc.dictionary(fc.constantFrom('cpu', 'pods'), fc.integer({ min: 0, max: 5 })),
    });
    fc.assert(
      fc.property(rule, milli, milli, milli, (one, own, others, asked) => {
        const usage: Usage[] = [
          { peerId: 'a', requests: amountsFrom({ cpu: `${own}m`, pods: '1' }) },
          { peerId: 'b', requests: amountsFrom({ cpu: `${others}m`, pods: '1' }) },
        ];
        const use = useOf(peer('a'), federation([one]));
        const reserve = amountsFrom({ cpu: '1' });
        const { allocatable } = computeOffer([node(4)], usage, { peerId: 'a', reserve, use });
        const verdict = fitsTerms(amountsFrom({ cpu: `${asked}m` }), {
          nodes: [node(4)],
          usage,
          reserve,
          peerId: 'a',
          use,
        });
        const offered = amountsFrom(allocatable).cpu ?? 0n;
        const wanted = BigInt((own + asked) * 1);
        // What the offer has room for is not refused for the terms.
        if (asked > 0 && wanted <= offered) expect(verdict).toEqual({ ok: true });
        const limit = one.limits.cpu;
        if (limit !== undefined) expect(offered <= BigInt(limit) * 1_000n).toBe(true);
        if (asked > 0 && limit !== undefined && wanted > BigInt(limit) * 1_000n)
          expect(verdict).toMatchObject({
            ok: false,
            reason: 'OutOfcpu',
            message: expect.stringContaining('its terms'),
          });
      }),
    );
  });
});
