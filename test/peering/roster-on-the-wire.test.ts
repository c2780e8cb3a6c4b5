import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type RosterVersions, versionsOf } from '../../src/core/membership/roster-digest.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createMember, resigned, type TestMember } from '../core/membership/member-fixture.ts';
import { connectAs, eventually, startServer, type TestServer } from './peer-server-fixture.ts';

let host: TestMember;
let friend: TestMember;
let other: TestMember;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  host = await createMember('host');
  friend = await createMember('friend');
  other = await createMember('other');
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(member: TestMember, peers: TestMember[]): Promise<TestServer> {
  const started = await startServer(member, peers);
  cleanups.push(() => started.server.close());
  return started;
}

const signal = (): AbortSignal => AbortSignal.timeout(5_000);

describe('the roster on the wire', () => {
  /** The lines that a session says about the roster, and a way to ask for what is missing. */
  async function listenTo(target: TestServer, query: string) {
    const { client, close } = connectAs(friend, target, host);
    cleanups.push(close);
    const stream = await client.request({ method: 'GET', path: `/v1/session${query}`, signal: signal() });
    cleanups.push(() => stream.destroy());
    const lines: string[] = [];
    stream.on('error', () => {});
    stream.on('data', (bytes: Buffer) => {
      lines.push(
        ...bytes
          .toString()
          .split('\n')
          .filter((line) => line.includes('"roster')),
      );
    });
    const difference = (versions: RosterVersions) =>
      client.ask({ method: 'POST', path: '/v1/roster/difference', body: { versions }, signal: signal() });
    return { lines, difference };
  }

  async function federationOf(members: number): Promise<TestMember[]> {
    return Promise.all(Array.from({ length: members }, (_, i) => createMember(`member-${i}`)));
  }

  it('is a digest of less than 100 bytes, and then only the one record that changed of 50', async () => {
    const many = await federationOf(48);
    const target = await start(host, [friend, ...many]);
    const before = target.roster.records();
    const { lines, difference } = await listenTo(target, '?roster=digest');
    await eventually(() => lines.length === 1);
    const changed = resigned(many[0] as TestMember, { name: 'renamed', incarnation: 2 });
    target.roster.set(before.map((record) => (record.id === changed.id ? changed : record)));
    await eventually(() => lines.length === 2);
    expect(lines.every((line) => line.length < 100)).toBe(true);
    expect(new Set(lines).size).toBe(2);
    const answer = await difference(versionsOf(before, [], []));
    expect(answer).toMatchObject({ records: [changed] });
    expect(JSON.stringify(answer).length).toBeLessThan(2_000);
  });

  it('is not said again when it is the same', async () => {
    const target = await start(host, [friend]);
    const { lines } = await listenTo(target, '?roster=digest');
    await eventually(() => lines.length === 1);
    target.roster.set([...target.roster.records()]);
    await systemClock.sleep(200);
    expect(lines.length).toBe(1);
  });

  it('is all of it for who comes late, and whole for members that know no digests', async () => {
    const target = await start(host, [friend, other]);
    const { lines, difference } = await listenTo(target, '');
    await eventually(() => lines.length === 1);
    const all = target.roster.records();
    expect(JSON.parse(lines[0] ?? '')).toEqual({ type: 'roster', records: all });
    expect(await difference({})).toMatchObject({ records: all });
  });

  it('is not asked for with absurd versions', async () => {
    const target = await start(host, [friend]);
    const { difference } = await listenTo(target, '');
    const many = Object.fromEntries(Array.from({ length: 1_500 }, (_, i) => [String(i), 1]));
    for (const versions of [many, { x: 'y' }, { ['x'.repeat(17)]: 1 }])
      await expect(difference(versions as RosterVersions)).rejects.toMatchObject({ code: 'InvalidArgument' });
    const large = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [String(i), 1]));
    await expect(difference(large)).rejects.toMatchObject({ code: 'ResourceExhausted' });
  });
});
