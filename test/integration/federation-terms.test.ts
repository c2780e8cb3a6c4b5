import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FederationObject } from '../../src/core/membership/peer-object.ts';
import type { PeerRecord } from '../../src/core/membership/peer-record.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import { FEDERATIONS, PEERS } from '../../src/kube/resources.ts';
import { createMember } from '../core/membership/member-fixture.ts';
import { adminClient, applyManifests } from './cluster.ts';

const client = adminClient();
beforeAll(() => void applyManifests());
afterAll(() => client.close());
afterEach(async () => {
  await client.delete(FEDERATIONS, { name: 'headcut' }).catch(() => {});
});

const id = 'a'.repeat(52);
const take = (spec: object): Promise<FederationObject> =>
  client.create<FederationObject>(FEDERATIONS, { metadata: { name: 'headcut' }, spec } as FederationObject);

describe('the terms of peers in the Federation', () => {
  it('are taken with what is not said filled in', async () => {
    const terms = [
      {
        peers: [id],
        limits: { cpu: 4, memory: '8Gi', pods: '20', 'nvidia.com/gpu': '1' },
        podSecurityLevel: 'restricted',
      },
      { selector: { matchLabels: { site: 'lab' } }, sharePercent: 25 },
      { use: 'AfterApproval' },
    ];
    const { spec } = await take({ terms });
    expect(spec?.vouchedLimit).toBe(128);
    expect(spec?.terms).toMatchObject([
      { use: 'Allowed', sharePercent: 100 },
      { use: 'Allowed', sharePercent: 25 },
      { use: 'AfterApproval', sharePercent: 100 },
    ]);
  });

  it.each<[string, object[], RegExp]>([
    ['an entry for all before another', [{ use: 'None' }, { peers: [id] }], /is the last one/],
    ['two entries for all', [{}, {}], /is the last one/],
    ['a name in place of an ID', [{ peers: ['b'] }], /peers/],
    ['less than nothing', [{ limits: { cpu: '-1' } }], /limits/],
    ['a number below zero', [{ limits: { cpu: -1 } }], /limits/],
    ['an amount with an exponent', [{ limits: { cpu: '1e30000000' } }], /limits/],
    ['more than all', [{ sharePercent: 101 }], /sharePercent/],
    ['a selector of nothing', [{ selector: {} }], /matchLabels/],
    ['another use', [{ use: 'Sometimes' }], /use/],
  ])('are refused with %s', async (_what, terms, message) => {
    await expect(take({ terms })).rejects.toThrow(message);
  });
});

describe('records that a member may tell', () => {
  it.each<[string, Partial<PeerRecord>]>([
    ['an endpoint as long as there can be', { endpoints: [`${'a'.repeat(255)}:7443`] }],
    ['the largest incarnation', { incarnation: Number.MAX_SAFE_INTEGER }],
    ['the largest protocol', { protocol: 2 ** 31 - 1 }],
    ['a voucher that passes on the word of another', { vouch: { by: id, signature: '', origin: id } }],
  ])('are stored with %s', async (_what, change) => {
    const { record } = await createMember('one', change);
    const name = `terms-${Math.random().toString(36).slice(2, 10)}`;
    const spec = { ...record, ...change };
    try {
      const created = await client.create<{ metadata: { name: string }; spec: PeerRecord }>(PEERS, {
        metadata: { name },
        spec,
      });
      expect(created.spec).toEqual(spec);
    } catch (error) {
      expect(error instanceof ApiError ? error.message : error).toBeUndefined();
    } finally {
      await client.delete(PEERS, { name }).catch(() => {});
    }
  });
});
