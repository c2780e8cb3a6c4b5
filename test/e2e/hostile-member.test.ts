import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SteadyClient } from '../../scripts/bench/clients.ts';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import type { FederationObject, PeerObject } from '../../src/core/membership/peer-object.ts';
import type { PeerRecord } from '../../src/core/membership/peer-record.ts';
import { invite } from '../../src/ops/invite.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createIdentity, HostileMember } from '../hostile/hostile-member.ts';
import { unfinishedBodies } from '../hostile/unfinished-bodies.ts';
import { clusters, service, startAsking } from './askers.ts';
import { headcut } from './headcut-command.ts';
import { apply, eventually, get, isReady, kubectl, list, offloadedNamespace, pod, podSpec, twins } from './lab.ts';
import { connect, peerOf } from './members.ts';

/**
 * A member that is no agent: it has a key, joined by an invitation, and plays attack after attack against two others, which run each
 * other's pods under load.
 */

const ENEMY = 'enemy';
const READY_WITHIN_MS = 120_000;
/** Fenced pods stop 30 s after their home was last heard; an attack that holds an agent up shows within that. */
const WATCHED_MS = 40_000;

const home = { a: 'b', b: 'a' } as const;
type Member = keyof typeof home;
const victims = Object.keys(home) as Member[];

const on = (node: string) => ({ nodeSelector: { 'kubernetes.io/hostname': node } });

function workload(kind: 'Deployment' | 'StatefulSet', namespace: string, name: string, node: string): object {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: podSpec(on(node)) };
  const more = kind === 'StatefulSet' ? { serviceName: name } : {};
  const spec = { replicas: 1, selector: { matchLabels: labels }, template, ...more };
  return { apiVersion: 'apps/v1', kind, metadata: { name, namespace }, spec };
}

interface Work extends AsyncDisposable {
  namespace: string;
  client: SteadyClient;
}

/** A Deployment and a StatefulSet of `of` on the other member, and a client at home that asks the first one 20 times a second. */
async function startWork(of: Member): Promise<Work> {
  const namespace = await offloadedNamespace(of);
  const node = `headcut-${home[of]}`;
  const asker = `load-${of}-${process.pid}`;
  await apply(
    of,
    service(namespace.name, 'web'),
    workload('Deployment', namespace.name, 'web', node),
    workload('StatefulSet', namespace.name, 'db', node),
    pod(namespace.name, asker, podSpec(on(of))),
  );
  await eventually(async () => {
    const pods = await list<Pod>(of, ['-n', namespace.name, 'pods']);
    expect(pods.filter(isReady)).toHaveLength(3);
  }, READY_WITHIN_MS);
  const client = await startAsking({ cluster: of, namespace: namespace.name, asker }, 10_000);
  return {
    namespace: namespace.name,
    client,
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await namespace[Symbol.asyncDispose]();
    },
  };
}

/** UIDs, nodes, restarts and containers of all pods of a namespace, at home and on the other member. */
async function touched(of: Member, namespace: string): Promise<string[]> {
  const all = [...(await list<Pod>(of, ['-n', namespace, 'pods'])), ...(await twins(home[of], namespace))];
  return all
    .map(({ metadata, spec, status }) => {
      const containers = (status?.containerStatuses ?? []) as { containerID?: string; restartCount?: number }[];
      const runs = containers.map((one) => `${one.restartCount} ${one.containerID}`);
      return `${metadata.name} ${metadata.uid} ${metadata.deletionTimestamp ?? ''} ${spec.nodeName} ${runs}`;
    })
    .sort();
}

/** Since when the node of the other one is as it is, which a break of contact changes. */
async function readySince(of: Member): Promise<string> {
  const node = await get<Node>(of, ['node', `headcut-${home[of]}`]);
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
  return `${ready?.status} since ${ready?.lastTransitionTime}`;
}

let enemy: HostileMember;
const endpoints = {} as Record<Member, string>;
const records = {} as Record<Member, PeerRecord>;
const works = {} as Record<Member, Work>;
let before: Record<Member, { pods: string[]; contact: string }>;
let startedAt: number;
let invented: PeerRecord[];
const playedAt: { name: string; from: number; to: number }[] = [];

const observed = async (): Promise<typeof before> => {
  const all = victims.map(async (one) => [
    one,
    { pods: await touched(one, works[one].namespace), contact: await readySince(one) },
  ]);
  return Object.fromEntries(await Promise.all(all)) as typeof before;
};

beforeAll(async () => {
  for (const one of victims) {
    const { status } = await get<FederationObject>(one, ['federation', 'headcut']);
    endpoints[one] = status?.endpoints?.[0] ?? '';
    records[one] = (await get<PeerObject>(home[one], ['peer', one])).spec;
  }
  await Promise.all(
    victims.map(async (one) => {
      works[one] = await startWork(one);
    }),
  );
  enemy = new HostileMember(await createIdentity(ENEMY));
  invented = await enemy.chain(150);
  const client = await connect('a');
  const randomBytes = (count: number) => crypto.getRandomValues(new Uint8Array(count));
  const { token } = await invite(client, { ttlMs: 60_000, randomBytes, clock: systemClock });
  await client.close();
  await enemy.join(token);
  await eventually(async () => {
    for (const one of victims) expect((await peerOf(one, ENEMY)).spec.id).toBe(enemy.identity.id);
  });
  before = await observed();
  startedAt = Date.now();
}, 300_000);

afterAll(async () => {
  for (const one of victims) await works[one]?.[Symbol.asyncDispose]();
  // Members that are not attacked have heard of it as well.
  for (const one of clusters) await headcut(one, 'ban', ENEMY, '--with-newcomers');
  await eventually(async () => {
    for (const one of clusters) {
      const names = (await list<PeerObject>(one, ['peers'])).map(({ metadata }) => metadata.name);
      expect(names.filter((name) => name === ENEMY || /^s\d+$/.test(name))).toEqual([]);
    }
  }, READY_WITHIN_MS);
}, 240_000);

const submission = (uid: string, spec: object) => ({
  pod: { metadata: { name: `x-${uid.slice(0, 8)}`, namespace: 'x', uid }, spec },
  virtualNode: 'headcut-x',
  objects: [],
});
const plainContainer = { name: 'c', image: 'headcut.dev/demo:0.1.0', imagePullPolicy: 'IfNotPresent' };

/** Each is one kind of what a member may try; what it is answered does not matter here. */
const ATTACKS: Record<string, (victim: Member, guests: Pod[]) => Promise<unknown>> = {
  'pods with absurd amounts': (victim) => {
    const resources = { requests: { cpu: '1e30000000', memory: '-1Gi' } };
    const containers = Array.from({ length: 100 }, (_, i) => ({ ...plainContainer, name: `c${i}`, resources }));
    return enemy.call(endpoints[victim], 'PUT', '/v1/pods/u1', submission('u1', { containers }));
  },
  'a roster in which each is vouched for by the next': (victim) => enemy.tell(endpoints[victim], invented),
  'bodies that do not end': async (victim) => {
    const sockets = unfinishedBodies(enemy.identity, endpoints[victim], 40);
    await sleep(5_000);
    for (const socket of sockets) socket.destroy();
  },
  'bodies that are nothing but nesting': (victim) =>
    Promise.all(
      Array.from({ length: 5 }, () => enemy.call(endpoints[victim], 'PUT', '/v1/pods/u2', '['.repeat(8_000_000))),
    ),
  'a record that changes all the time': async (victim) => {
    for (let i = 0; i < 100; i += 1)
      await enemy.tell(endpoints[victim], [enemy.resigned({ incarnation: 100 + i, endpoints: [`192.0.2.${i}:7443`] })]);
  },
  "claims of the other's network, its key, and what is none": async (victim) => {
    const { network } = records[home[victim]];
    if (network === undefined) return;
    const claims = [
      { ...network, since: 0 },
      { ...network, prefix: '100.127.250.0/24' },
      { ...network, prefix: '100.127.251.0/24', publicKey: `${'A'.repeat(43)}=` },
      { ...network, prefix: '100.064.5.0/24' },
      { ...network, prefix: '100.100.100.0/24', since: 1 },
    ];
    for (const [i, claim] of claims.entries()) {
      await enemy.tell(endpoints[victim], [enemy.resigned({ incarnation: 1_000 + i, network: claim })]);
      await sleep(1_000);
    }
  },
  'the pods of others, by their UIDs': async (victim, guests) => {
    for (const { metadata } of guests) {
      const uid = metadata.labels?.['headcut.dev/origin-uid'] ?? '';
      await enemy.call(endpoints[victim], 'PUT', `/v1/pods/${uid}`, submission(uid, { containers: [plainContainer] }));
      await enemy.call(endpoints[victim], 'DELETE', `/v1/pods/${uid}?gracePeriodSeconds=0`);
      await enemy.call(endpoints[victim], 'POST', '/v1/lease', { pods: [uid] });
    }
  },
  'pods with volumes and rights of the node': async (victim) => {
    const specs = [
      {
        volumes: [{ name: 'v', emptyDir: null, nfs: { server: '192.0.2.9', path: '/' } }],
        containers: [plainContainer],
      },
      { volumes: [{ name: 'v', hostPath: { path: '/' } }], containers: [plainContainer] },
      { hostNetwork: true, containers: [plainContainer] },
      { containers: [{ ...plainContainer, securityContext: { privileged: true } }] },
    ];
    for (const [i, spec] of specs.entries()) {
      const uid = `volume-${i}`;
      const { text } = await enemy.call(endpoints[victim], 'PUT', `/v1/pods/${uid}`, submission(uid, spec));
      expect(text).not.toContain('"accepted":true');
    }
  },
  'Services and objects in the namespaces of others': async (victim) => {
    const { namespace } = works[home[victim]];
    const services = [
      { name: 'web', type: 'ExternalName', labels: {}, ports: [], externalName: 'evil.test', endpoints: [] },
    ];
    await enemy.call(endpoints[victim], 'PUT', `/v1/namespaces/${namespace}/services`, { services });
    const objects = [{ kind: 'Secret', metadata: { name: 'web' }, data: { x: 'eA==' } }];
    await enemy.call(endpoints[victim], 'PUT', `/v1/namespaces/${namespace}/objects`, { objects });
  },
  'last words in the name of another': async (victim) => {
    const other = records[home[victim]];
    await enemy.tell(endpoints[victim], [{ ...other, left: true, incarnation: other.incarnation + 1 }]);
    await enemy.tell(endpoints[victim], [{ ...other, endpoints: ['192.0.2.1:1'], incarnation: other.incarnation + 1 }]);
  },
};

/** What was played when a request failed last. */
function failedWhile(victim: Member): string {
  const at = startedAt + works[victim].client.answersSince(startedAt).lastFailureS * 1_000;
  const played = playedAt.find(({ from, to }) => from <= at && at <= to);
  return `${Math.round((at - startedAt) / 1_000)} s after the start, with ${played?.name ?? 'nothing'} being played`;
}

describe('a member with a key, and nothing honest to say', () => {
  test.each(Object.keys(ATTACKS))('plays %s', { timeout: 60_000 }, async (name) => {
    const from = Date.now();
    for (const victim of victims) {
      const guests = await twins(victim, works[home[victim]].namespace);
      await ATTACKS[name]?.(victim, guests);
    }
    for (const victim of victims) {
      const answer = await enemy.call(endpoints[victim], 'DELETE', '/v1/pods/none');
      expect(answer.status, `${victim} answers at once afterwards`).not.toBe(0);
    }
    playedAt.push({ name, from, to: Date.now() });
  });

  test('stops, restarts and moves nothing of others, and no request of theirs fails', {
    timeout: 120_000,
  }, async () => {
    await sleep(Math.max(0, startedAt + WATCHED_MS - Date.now()));
    expect(await observed()).toEqual(before);
    for (const victim of victims) {
      const { sent, failed } = works[victim].client.answersSince(startedAt);
      expect(sent).toBeGreaterThan(100);
      expect(failed, `requests in ${victim}, of which one failed ${failedWhile(victim)}`).toBe(0);
    }
  });

  test('is named with what it did', async () => {
    for (const victim of victims) {
      const { status } = await peerOf(victim, ENEMY);
      const complaints = (status?.conditions ?? []).filter((one) => one.status === 'False');
      expect(complaints.map(({ message }) => message).join('')).not.toBe('');
      expect(await kubectl(victim, ['get', 'peer', ENEMY, '-o', 'wide'])).toContain(ENEMY);
    }
  });

  test('leaves a cluster that its own people use as before', async () => {
    for (const victim of victims) {
      const { exitCode, stdout } = await headcut(victim, 'peers');
      expect([exitCode, stdout]).toEqual([0, expect.stringMatching(new RegExp(`^${home[victim]} +Connected`, 'm'))]);
    }
  });
});
