import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { type SessionQuery, SessionSender } from '../../src/peering/session-sender.ts';
import { readMessage } from '../../src/wire/check.ts';
import type { SessionMessage } from '../../src/wire/messages.ts';
import { fastClock } from '../agent/membership/federation-fixture.ts';
import { eventually, FakeSource } from './peer-server-fixture.ts';

const sessions: SessionSender[] = [];

afterEach(() => {
  for (const session of sessions.splice(0)) session.close();
});

/** What a peer that asked like this is told of whom we reach, while that changes. */
function start(asked: SessionQuery, reach: Record<string, number>) {
  let reached = reach;
  const told: SessionMessage[] = [];
  const out = new PassThrough();
  out.on('data', (bytes: Buffer) => {
    for (const line of bytes.toString().trim().split('\n')) {
      const message = readMessage(line, 'it');
      if (message?.type.startsWith('reach') === true) told.push(message);
    }
  });
  const session = new SessionSender('peer', out, {
    source: new FakeSource(),
    roster: { told: () => [], digest: () => 'x' },
    asked,
    reach: () => reached,
    hello: { type: 'hello', id: 'own', protocol: 4, version: 'test' },
    clock: fastClock,
  });
  sessions.push(session);
  const change = (next: Record<string, number>): void => {
    reached = next;
    session.note('reach');
  };
  return { told, change };
}

const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`member-${i}`.padEnd(52, 'x'), 20]));

describe('whom this member reaches', () => {
  it('is told whole once, and then only what changed', async () => {
    const { told, change } = start({ reach: 'changes' }, many);
    await eventually(() => told.length === 1);
    expect(told[0]).toEqual({ type: 'reach', members: many });
    const [gone = ''] = Object.keys(many);
    const { [gone]: _, ...rest } = many;
    change({ ...rest, newcomer: 30 });
    await eventually(() => told.length === 2);
    expect(told[1]).toEqual({ type: 'reach-change', reached: { newcomer: 30 }, lost: [gone] });
    expect(JSON.stringify(told[1]).length).toBeLessThan(200);
    change({ ...rest, newcomer: 30, [gone]: 20 });
    await eventually(() => told.length === 3);
    expect(told[2]).toEqual({ type: 'reach-change', reached: { [gone]: 20 }, lost: [] });
  });

  it('is told again when the way is far longer or shorter, and not when it drifts', async () => {
    const { told, change } = start({ reach: 'changes' }, { a: 100, b: 20 });
    await eventually(() => told.length === 1);
    change({ a: 40, b: 25 });
    await eventually(() => told.length === 2);
    expect(told[1]).toEqual({ type: 'reach-change', reached: { a: 40 }, lost: [] });
    change({ a: 50, b: 30 });
    await fastClock.sleep(1_500);
    expect(told).toHaveLength(2);
  });

  it('is always told whole to peers that know no changes', async () => {
    const { told, change } = start({}, { a: 1 });
    await eventually(() => told.length === 1);
    change({ a: 1, b: 1 });
    await eventually(() => told.length === 2);
    expect(told[1]).toEqual({ type: 'reach', members: { a: 1, b: 1 } });
  });
});
