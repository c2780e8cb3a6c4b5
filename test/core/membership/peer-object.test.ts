import { describe, expect, it } from 'vitest';
import {
  type PeerContact,
  type PeerObject,
  planFederationStatus,
  planPeerStatus,
  toMemberName,
} from '../../../src/core/membership/peer-object.ts';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';

const record: PeerRecord = {
  id: 'x',
  name: 'b',
  endpoints: ['192.0.2.2:7443'],
  certificate: '',
  incarnation: 1,
  protocol: 1,
  signature: '',
};
const peer: PeerObject = { metadata: { name: 'b', generation: 3 }, spec: record };
const T1 = '2026-01-01T00:00:01Z';
const T2 = '2026-01-01T00:00:02Z';
const contact = (state: string): PeerContact => ({
  state,
  offer: undefined,
  problem: undefined,
  via: undefined,
  roundTripMs: undefined,
  cloned: false,
  hearsay: { view: 'Unknown' },
});

describe('planPeerStatus', () => {
  it('is written once for each state, and not again while it stays', () => {
    const status = planPeerStatus(peer, contact('Connected'), T1);
    expect(status).toMatchObject({ state: 'Connected', observedGeneration: 3, lastSeen: null });
    expect(planPeerStatus({ ...peer, status: status ?? {} }, contact('Connected'), T2)).toBeUndefined();
  });

  it('says that a stored record cannot be used, also where the peer was out of contact before', () => {
    const before = planPeerStatus(peer, contact('Unreachable'), T1) ?? {};
    const spoiled = { ...contact('Unreachable'), unusable: 'its signature is wrong' };
    const after = planPeerStatus({ ...peer, status: before }, spoiled, T2) ?? {};
    expect(after.conditions).toMatchObject([
      {
        type: 'Connected',
        status: 'False',
        reason: 'RecordUnusable',
        message: expect.stringContaining('signature is wrong'),
      },
    ]);
    expect(planPeerStatus({ ...peer, status: after }, spoiled, T2)).toBeUndefined();
  });

  it('says since when and why a peer is not connected', () => {
    const connected = planPeerStatus(peer, contact('Connected'), T1) ?? {};
    const lost = planPeerStatus({ ...peer, status: connected }, { ...contact('Unreachable'), problem: 'refused' }, T2);
    expect(lost).toMatchObject({
      state: 'Unreachable',
      lastSeen: T2,
      conditions: [{ type: 'Connected', status: 'False', message: 'refused', lastTransitionTime: T2 }],
    });
  });

  it('says which version of headcut it has, and is written once for another one', () => {
    const older = planPeerStatus(peer, { ...contact('Connected'), version: '0.1.0' }, T1) ?? {};
    expect(older.version).toBe('0.1.0');
    const upgraded = planPeerStatus({ ...peer, status: older }, { ...contact('Connected'), version: '0.2.0' }, T2);
    expect(upgraded).toMatchObject({ version: '0.2.0', conditions: [{ type: 'Connected', lastTransitionTime: T1 }] });
    const shown = { ...peer, status: { ...older, ...upgraded } };
    expect(planPeerStatus(shown, { ...contact('Connected'), version: '0.2.0' }, T2)).toBeUndefined();
    // Away it is still known by the version that it had last.
    expect(planPeerStatus(shown, contact('Unreachable'), T2)).not.toHaveProperty('version');
  });

  it('names the member that carries the connection, until there is a direct way', () => {
    const relayed = planPeerStatus(peer, { ...contact('Connected'), via: 'c', roundTripMs: 3.0625 }, T1) ?? {};
    expect(relayed).toMatchObject({ state: 'Connected', via: 'c', roundTripMs: 3.1 });
    expect(relayed.conditions?.[0]).toMatchObject({ status: 'True', reason: 'Relayed', message: 'Relayed through c' });
    const direct = planPeerStatus({ ...peer, status: relayed }, contact('Connected'), T2);
    expect(direct).toMatchObject({ via: null, conditions: [{ reason: 'Heartbeat' }] });
  });

  it('says whether others still reach a peer that we do not reach, and is written again when that changes', () => {
    const alone = { ...contact('Unreachable'), hearsay: { view: 'LinkDown', witness: 'c' } as const };
    const link = planPeerStatus(peer, alone, T1) ?? {};
    expect(link.conditions?.[0]).toMatchObject({ reason: 'LinkDown', message: expect.stringMatching(/^c still/) });
    expect(planPeerStatus({ ...peer, status: link }, alone, T2)).toBeUndefined();
    const down = planPeerStatus({ ...peer, status: link }, { ...alone, hearsay: { view: 'PeerDown' } }, T2);
    expect(down?.conditions?.[0]).toMatchObject({ reason: 'PeerDown', lastTransitionTime: T1 });
    expect(down?.lastSeen).toBeUndefined();
  });

  it('warns of a second agent with the same key, until that is gone', () => {
    const before = { ...peer, status: planPeerStatus(peer, contact('Connected'), T1) ?? {} };
    const warned = planPeerStatus(before, { ...contact('Connected'), cloned: true }, T2) ?? {};
    expect(warned.conditions?.find((one) => one.type === 'Unique')).toMatchObject({
      status: 'False',
      reason: 'Cloned',
    });
    const still = planPeerStatus({ ...peer, status: warned }, { ...contact('Connected'), cloned: true }, T2);
    expect(still).toBeUndefined();
    const calm = planPeerStatus({ ...peer, status: warned }, contact('Connected'), T2);
    expect(calm?.conditions?.find((one) => one.type === 'Unique')).toMatchObject({ status: 'True' });
  });

  it('tells the first offer, but writes nothing for later ones', () => {
    const offer = { capacity: {}, allocatable: { cpu: '2' }, nodeInfo: {}, labels: {}, accepting: true };
    const status = planPeerStatus(peer, contact('Connected'), T1) ?? {};
    const withOffer = planPeerStatus({ ...peer, status }, { ...contact('Connected'), offer }, T2);
    expect(withOffer).toMatchObject({ offer: { accepting: true, allocatable: { cpu: '2' } } });
    expect(withOffer?.conditions?.[0]?.lastTransitionTime).toBe(T1);
    const smaller = { ...offer, allocatable: { cpu: '1' } };
    const after = { ...peer, status: withOffer ?? {} };
    expect(planPeerStatus(after, { ...contact('Connected'), offer: smaller }, T2)).toBeUndefined();
  });
});

describe('planFederationStatus', () => {
  const version = '0.1.0';

  it('counts members by state and is not written again when it says so already', () => {
    const federation = { metadata: { name: 'headcut' } };
    const states = ['Connected', 'Suspect', 'Unreachable', 'Connected'];
    const status = planFederationStatus(federation, { own: record, version, states });
    expect(status?.peers).toEqual({ total: 4, connected: 2, unreachable: 1 });
    const again = planFederationStatus(
      { ...federation, status: status ?? {} },
      { own: record, version, states: states.toSorted() },
    );
    expect(again).toBeUndefined();
    const upgraded = planFederationStatus(
      { ...federation, status: status ?? {} },
      { own: record, version: '0.2.0', states },
    );
    expect(upgraded).toMatchObject({ version: '0.2.0' });
  });

  it('tells of the present key where it replaced another, and who has not seen it', () => {
    const federation = { metadata: { name: 'headcut' } };
    const key = { replaced: 1, since: T1, unseenBy: ['b'] };
    const status = planFederationStatus(federation, { own: record, version, states: [], key });
    expect(status?.key).toEqual(key);
    const shown = { ...federation, status: status ?? {} };
    expect(planFederationStatus(shown, { own: record, version, states: [], key })).toBeUndefined();
    expect(
      planFederationStatus(shown, { own: record, version, states: [], key: { ...key, unseenBy: [] } })?.key,
    ).toEqual({
      ...key,
      unseenBy: [],
    });
    expect(planFederationStatus(shown, { own: record, version, states: [] })?.key).toBeNull();
  });
});

describe('toMemberName', () => {
  it.each([
    ['Alpha.Site 1', 'alpha-site-1'],
    ['--x--', 'x'],
    ['...', 'cluster'],
    ['n'.repeat(80), 'n'.repeat(40)],
  ])('makes a DNS label of "%s"', (text, label) => {
    expect(toMemberName(text)).toBe(label);
  });
});
