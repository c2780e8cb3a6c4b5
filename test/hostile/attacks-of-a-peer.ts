import type { Duplex } from 'node:stream';
import { createDialing } from '../../src/peering/dialing.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { PROTOCOL_VERSION } from '../../src/wire/endpoints.ts';
import type { Host } from './host.ts';
import { OFFER, type Provider, runningStatus } from './provider.ts';
import { unfinishedBodies } from './unfinished-bodies.ts';

/** Who attacks, and what. */
export interface Field {
  enemy: Provider;
  /** Of the agent that is attacked. */
  endpoint: string;
  host: Host;
}

/** One kind of attack, again and again until the signal aborts. */
export type Attack = (field: Field, end: AbortSignal) => Promise<void>;

const until = (end: AbortSignal): Promise<void> =>
  new Promise((resolve) => end.addEventListener('abort', () => resolve()));
const MIB = 1024 * 1024;

async function again(end: AbortSignal, what: (round: number) => unknown, everyMs = 0): Promise<void> {
  for (let round = 0; !end.aborted; round += 1) {
    await what(round);
    await systemClock.sleep(everyMs);
  }
}

const secret = (bytes: number) => ({
  objects: [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { k: Buffer.alloc(bytes, 'x').toString() } },
  ],
});

/** What one member does to another one, by what it is attacked with. */
export const ATTACKS: Record<string, Attack> = {
  'bodies that do not end': async ({ enemy, endpoint }, end) => {
    const sockets = unfinishedBodies(enemy.member.identity, endpoint, 60);
    await until(end);
    for (const socket of sockets) socket.destroy();
  },

  'large bodies': ({ enemy, endpoint }, end) =>
    again(end, () => {
      const body = JSON.stringify(secret(7 * MIB));
      const call = () => enemy.member.call(endpoint, 'PUT', '/v1/namespaces/n/objects', body);
      return Promise.all([call(), call(), call(), call()]);
    }),

  'bodies of many values': ({ enemy, endpoint }, end) =>
    again(end, () => {
      const body = `{"services":[${'{"a":1},'.repeat(60_000)}0]}`;
      const call = () => enemy.member.call(endpoint, 'PUT', '/v1/namespaces/n/services', body);
      return Promise.all([call(), call(), call(), call()]);
    }),

  'answers that nobody reads': async ({ enemy, endpoint }, end) => {
    const connections = await Promise.all(Array.from({ length: 8 }, () => dial(enemy, endpoint)));
    const open: Duplex[] = [];
    await again(
      end,
      async () => {
        for (const connection of connections) {
          if (connection.closed || open.length > 4_000) continue;
          const more = await Promise.allSettled(Array.from({ length: 30 }, () => unread(connection)));
          for (const one of more) if (one.status === 'fulfilled') open.push(one.value);
        }
      },
      200,
    );
    for (const connection of connections) connection.close();
  },

  'members that it invents': async ({ enemy, endpoint }, end) => {
    const invented = await enemy.member.chain(100);
    await again(end, () => enemy.member.tell(endpoint, invented), 500);
  },

  'pods with statuses of 200 kB, told again and again': async ({ enemy: { told } }, end) => {
    const before = [...told.pods.values()];
    await again(
      end,
      (round) => {
        for (const { uid } of before) {
          const one = told.pods.get(uid);
          if (one === undefined) continue;
          const message = `${round} ${'x'.repeat(200_000)}`;
          told.pods.set(uid, { ...one, status: { ...runningStatus([{ name: 'c' }]), message } });
          told.changed({ podUid: uid });
        }
      },
      20,
    );
    for (const one of before) told.pods.set(one.uid, one);
    told.changed('pods');
  },

  'ten thousand pods that it has not': async ({ enemy: { told } }, end) => {
    const before = new Map(told.pods);
    for (let i = 0; i < 10_000; i += 1)
      told.pods.set(`u${i}`, {
        uid: `u${i}`,
        namespace: 'n',
        name: `p${i}`,
        deleting: false,
        status: runningStatus([{ name: 'c' }]),
      });
    await again(end, () => told.changed('pods'), 1_000);
    told.pods.clear();
    for (const [uid, one] of before) told.pods.set(uid, one);
    told.changed('pods');
  },

  'offers that change all the time': ({ enemy: { told } }, end) =>
    again(
      end,
      (round) => {
        const extended = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`x.org/r${i}-${round}`, '1']));
        told.offer = { ...OFFER, allocatable: { ...OFFER.allocatable, ...extended, cpu: String(1 + (round % 8)) } };
        told.changed('offer');
      },
      25,
    ),

  'large answers': async ({ enemy }, end) => {
    enemy.calls.stats = () => ({
      pods: Array.from({ length: 5_000 }, (_, i) => ({
        uid: `u${i}`,
        stats: { cpu: { time: 'x'.repeat(60) } },
      })) as never,
    });
    enemy.calls.updateServices = () => ({
      problems: Array.from({ length: 500 }, (_, i) => ({
        service: `s${i}`,
        reason: 'x'.repeat(500),
        message: 'y'.repeat(1_000),
      })),
    });
    await until(end);
  },
};

async function dial({ member, agent }: Provider, endpoint: string) {
  const { key, certificate } = member.identity;
  const hello = { instance: `trial-${Math.random()}`, protocol: PROTOCOL_VERSION, version: 'trial' };
  const dialing = createDialing({ identity: { key, certificate }, hello, clock: systemClock });
  const record = agent.rosters.records().find(({ endpoints }) => endpoints.includes(endpoint));
  if (record === undefined) throw new Error('the host is not known');
  const { connection } = await dialing.toPeer(record, undefined, AbortSignal.timeout(10_000));
  connection.serve(() => {});
  return connection;
}

/** A question for the whole roster, of which nothing is read. */
async function unread(connection: { open(signal: AbortSignal): Promise<Duplex> }): Promise<Duplex> {
  const stream = await connection.open(AbortSignal.timeout(10_000));
  stream.on('error', () => {});
  const body = JSON.stringify({ versions: {} });
  stream.write(
    `POST /v1/roster/difference HTTP/1.1\r\nhost: peer\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  return stream;
}
