import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMembershipStatus } from '../../../src/agent/federation/membership-status.ts';
import { type Identity, loadIdentity } from '../../../src/agent/identity/identity.ts';
import { IdentityMemory } from '../../../src/agent/identity/identity-memory.ts';
import { KeyReplacement } from '../../../src/agent/identity/key-replacement.ts';
import { OwnRecord } from '../../../src/agent/identity/own-record.ts';
import { AdmissionGate } from '../../../src/agent/membership/admission-gate.ts';
import type { KubeObject } from '../../../src/core/kube-objects.ts';
import { generationOf, memberKeysOf } from '../../../src/core/membership/member-keys.ts';
import {
  FEDERATION_NAME,
  type FederationObject,
  type PeerObject,
  ROTATE_KEY_ANNOTATION,
} from '../../../src/core/membership/peer-object.ts';
import { problemOfRecord } from '../../../src/core/membership/signed-record.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { Peers } from '../../../src/peering/peers.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { withNextKey } from '../../core/membership/member-fixture.ts';
import { FakeStore } from '../../fake-store.ts';
import { eventually } from '../../peering/peer-server-fixture.ts';
import { fastClock } from '../membership/federation-fixture.ts';

type Stored = KubeObject & { data?: Record<string, string> };
type Fault = 'before' | 'after';

/** The identity's Secret and the Federation on an API server that can fail at a write, before or after it was done. */
class Cluster {
  readonly federations = new FakeStore<FederationObject>([{ metadata: { name: FEDERATION_NAME }, spec: {} }]);
  secret: Stored | undefined;
  writes: string[] = [];
  /** Which write fails, counted from now on. */
  #fails: { at: number; when: Fault } | undefined;

  failAt(at: number, when: Fault): void {
    this.#fails = { at, when };
    this.writes = [];
  }

  ask(request: string): void {
    const [federation] = this.federations.list() as [FederationObject];
    const annotations = { [ROTATE_KEY_ANNOTATION]: request };
    this.federations.set({ ...federation, metadata: { ...federation.metadata, annotations } });
  }

  get isAsked(): boolean {
    return this.federations.get(FEDERATION_NAME)?.metadata.annotations?.[ROTATE_KEY_ANNOTATION] !== undefined;
  }

  get generation(): number {
    return generationOf(memberKeysOf(this.field('tls.crt')));
  }

  field(name: string): string {
    return Buffer.from(this.secret?.data?.[name] ?? '', 'base64').toString('utf8');
  }

  readonly client = {
    get: () =>
      this.secret === undefined
        ? Promise.reject(new ApiError(404, {}))
        : Promise.resolve(structuredClone(this.secret) as never),
    create: (_type: unknown, object: Stored) =>
      this.#write('create secret', () => {
        this.secret = { ...object, metadata: { ...object.metadata, resourceVersion: '1' } };
        return this.secret;
      }),
    patch: (type: { plural: string }, address: { subresource?: string }, patch: object) =>
      type.plural === 'secrets'
        ? this.#write('patch secret', () => this.#patchSecret(patch as Stored))
        : this.#write(`patch federation ${address.subresource ?? ''}`, () => this.#patchFederation(patch)),
  } as unknown as Pick<KubeClient, 'get' | 'create' | 'patch'>;

  async #write<T>(what: string, run: () => T): Promise<never> {
    const fails = this.writes.length === this.#fails?.at ? this.#fails.when : undefined;
    this.writes.push(what);
    if (fails === 'before') throw new Error('the API server is away');
    const result = run();
    if (fails === 'after') throw new Error('the answer was lost');
    return result as never;
  }

  #patchSecret({ data, metadata }: Stored): Stored {
    const before = this.secret as Stored;
    const version = before.metadata.resourceVersion;
    if (metadata?.resourceVersion !== undefined && metadata.resourceVersion !== version)
      throw new ApiError(409, { reason: 'Conflict' });
    const resourceVersion = String(Number(version) + 1);
    this.secret = {
      ...before,
      metadata: { ...before.metadata, resourceVersion },
      data: { ...before.data, ...data },
    };
    return this.secret;
  }

  #patchFederation(patch: { metadata?: object; status?: object }): FederationObject {
    const before = this.federations.get(FEDERATION_NAME) as FederationObject;
    const after = {
      ...before,
      ...(patch.status === undefined ? {} : { status: { ...before.status, ...patch.status } }),
    };
    if (patch.metadata !== undefined) after.metadata = { name: FEDERATION_NAME };
    this.federations.set(after);
    return after;
  }
}

const stops: AbortController[] = [];

/** One life of the agent: what has to do with its key. */
async function live(cluster: Cluster, clock = fastClock) {
  const { client, federations } = cluster;
  const identity: Identity = await loadIdentity(client, 'ns', clock);
  const memory = await IdentityMemory.load(client, 'ns');
  const kept = await KeyReplacement.load(client, { namespace: 'ns', identity, clock });
  const own = await OwnRecord.create({
    identity,
    defaults: { name: 'a', endpoints: ['192.0.2.1:7443'] },
    load: async () => memory.record(),
    save: (record) => memory.saveRecord(record),
  });
  const membership = {
    reconsider: () => Promise.resolve(),
    unusable: () => undefined,
    cameThrough: () => [],
  };
  const ways = { synced: true, list: () => [], onChange: () => {} } as unknown as Peers;
  const keys = {
    replace: (request: string) => own.replaceKey(kept, request),
    replacedAt: () => kept.replacedAt(),
    dueRequest: () => kept.dueRequest(),
  };
  const common = { own, keys, federations, membership, ways, clock, logger: silentLogger, version: '0.1.0' };
  const gate = new AdmissionGate(() => undefined);
  const leave = (): Promise<void> => Promise.resolve();
  const controller = createMembershipStatus({ ...common, leave, client, peers: new FakeStore<PeerObject>(), gate });
  const stop = new AbortController();
  stops.push(stop);
  void controller.run(stop.signal);
  return { identity, own, controller, end: () => stop.abort() };
}

/** The key, its certificate and the record belong together and say the same as what was kept. */
function expectConsistent(cluster: Cluster, { identity, own }: Awaited<ReturnType<typeof live>>, id: string): void {
  const record = own.record();
  expect(problemOfRecord(record)).toBeUndefined();
  expect([record.id, identity.id]).toEqual([id, id]);
  expect(record.certificate).toBe(identity.certificateDer);
  expect([cluster.field('tls.key'), cluster.field('tls.crt')]).toEqual([identity.key, identity.certificate]);
  expect(JSON.parse(cluster.field('record.json'))).toEqual(record);
}

let cluster: Cluster;
let id: string;

beforeEach(async () => {
  cluster = new Cluster();
  const first = await live(cluster);
  id = first.own.id;
  await eventually(() => cluster.federations.get(FEDERATION_NAME)?.status?.id === id);
  first.end();
});

afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

describe('a request for the next key', () => {
  it('is carried out once, by one write before anybody can see the key, and told in the status', async () => {
    const agent = await live(cluster);
    await eventually(() => agent.controller.stats().reconciles > 0);
    cluster.writes = [];
    cluster.ask('one');
    await eventually(() => cluster.federations.get(FEDERATION_NAME)?.status?.key?.replaced === 1);
    expectConsistent(cluster, agent, id);
    expect(cluster.writes).toEqual(['patch secret', 'patch federation ', 'patch federation status']);
    cluster.ask('one');
    await eventually(() => !cluster.isAsked);
    expect(cluster.generation).toBe(1);
    cluster.ask('two');
    await eventually(() => cluster.federations.get(FEDERATION_NAME)?.status?.key?.replaced === 2);
    expectConsistent(cluster, agent, id);
  });

  describe.each<Fault>(['before', 'after'])('with a failure %s a write', (when) => {
    it.each([0, 1, 2])(
      'number %i, at which the agent ends, leaves the old key or the new one, and is carried out by its next life',
      async (at) => {
        const agent = await live(cluster);
        await eventually(() => agent.controller.stats().reconciles > 0);
        cluster.failAt(at, when);
        const ended = eventually(() => cluster.writes.length > at && agent.end());
        cluster.ask('one');
        await Promise.race([ended, eventually(() => cluster.writes.length > at)]);
        agent.end();
        const next = await live(cluster);
        expectConsistent(cluster, next, id);
        await eventually(() => cluster.federations.get(FEDERATION_NAME)?.status?.key?.replaced === 1);
        await eventually(() => !cluster.isAsked);
        expectConsistent(cluster, next, id);
        expect(cluster.generation).toBe(1);
      },
    );

    it.each([0, 1, 2])('number %i, after which the agent goes on, is carried out once', async (at) => {
      const agent = await live(cluster);
      await eventually(() => agent.controller.stats().reconciles > 0);
      cluster.failAt(at, when);
      cluster.ask('one');
      await eventually(() => cluster.federations.get(FEDERATION_NAME)?.status?.key?.replaced === 1);
      await eventually(() => !cluster.isAsked && agent.controller.stats().inFlight === 0);
      expectConsistent(cluster, agent, id);
      expect(cluster.generation).toBe(1);
    });
  });

  it('that cannot be carried out is dropped, and everything stays as it is', async () => {
    const agent = await live(cluster);
    await eventually(() => agent.controller.stats().reconciles > 0);
    let last = { ...agent.identity, record: agent.own.record() };
    for (let i = 0; i < 64; i += 1) last = await withNextKey(last);
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    const data = { 'tls.key': encode(last.key), 'tls.crt': encode(last.certificate) };
    agent.end();
    cluster.secret = { ...(cluster.secret as Stored), data: { ...cluster.secret?.data, ...data } };
    const next = await live(cluster);
    cluster.ask('one');
    await eventually(() => !cluster.isAsked);
    expect(cluster.generation).toBe(64);
    expectConsistent(cluster, next, id);
  });

  it('does not lose a record that was written by the old key while the answer about the new one was lost', async () => {
    const agent = await live(cluster);
    await eventually(() => agent.controller.stats().reconciles > 0);
    agent.end();
    cluster.failAt(0, 'after');
    const keys = await KeyReplacement.load(cluster.client, {
      namespace: 'ns',
      identity: agent.identity,
      clock: fastClock,
    });
    await expect(agent.own.replaceKey(keys, 'one')).rejects.toThrow(/answer was lost/);
    await agent.own.refresh({ metadata: { name: FEDERATION_NAME }, spec: { name: 'renamed' } });
    const { incarnation } = agent.own.record();
    const next = await live(cluster);
    expectConsistent(cluster, next, id);
    expect(next.own.record()).toMatchObject({ name: 'renamed', incarnation: incarnation + 1 });
    expect(cluster.generation).toBe(1);
  });

  it('makes one key when two agents are asked at once: the second one takes over what the first one kept', async () => {
    const agents = await Promise.all([live(cluster), live(cluster)]);
    for (const agent of agents) {
      await eventually(() => agent.controller.stats().reconciles > 0);
      agent.end();
    }
    const replace = async ({ identity, own }: (typeof agents)[number]) => {
      const keys = await KeyReplacement.load(cluster.client, { namespace: 'ns', identity, clock: fastClock });
      return own.replaceKey(keys, 'one');
    };
    const outcomes = await Promise.allSettled(agents.map(replace));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await Promise.all(agents.map(replace));
    expect(agents.map(({ identity }) => identity.certificate)).toEqual(
      Array.from({ length: 2 }, () => cluster.field('tls.crt')),
    );
    expect(cluster.generation).toBe(1);
  });
});

describe('the certificate of a member', () => {
  const years = (count: number): number => count * 365 * 86_400_000;
  const at = (ms: number) => ({ ...fastClock, now: () => fastClock.now() + ms });
  const validTo = (): number => Date.parse(new X509Certificate(cluster.field('tls.crt')).validTo);

  it('holds for thirty years, and is replaced with its key when four fifths of them are over', async () => {
    expect(validTo()).toBeGreaterThan(Date.now() + years(29));
    const young = await live(cluster, at(years(20)));
    await eventually(() => young.controller.stats().reconciles > 0);
    young.end();
    expect(cluster.generation).toBe(0);
    const old = await live(cluster, at(years(25)));
    await eventually(() => cluster.generation === 1);
    await eventually(() => old.identity.certificate === cluster.field('tls.crt'));
    expectConsistent(cluster, old, id);
    expect(validTo()).toBeGreaterThan(Date.now() + years(54));
  });

  it('is good today as well when it was made on a node whose clock was far ahead', async () => {
    await live(cluster, at(years(40)));
    await eventually(() => cluster.generation === 1);
    const { validFrom } = new X509Certificate(cluster.field('tls.crt'));
    expect(Date.parse(validFrom)).toBeLessThan(Date.now());
    expect(memberKeysOf(cluster.field('tls.crt')).id).toBe(id);
  });
});
