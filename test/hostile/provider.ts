import type { Offer } from '../../src/core/exchange/offer.ts';
import type { RemotePod } from '../../src/core/exchange/pod-submission.ts';
import { parseJoinToken } from '../../src/core/membership/join-token.ts';
import type { CallHandlers, Serving, SessionSource } from '../../src/peering/serving.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createCluster, startAgent, type TestAgent } from '../agent/membership/federation-fixture.ts';
import { HostileMember } from './hostile-member.ts';

export const OFFER: Offer = {
  capacity: { cpu: '8', memory: '16Gi', pods: '110', 'ephemeral-storage': '50Gi' },
  allocatable: { cpu: '8', memory: '16Gi', pods: '110', 'ephemeral-storage': '50Gi' },
  nodeInfo: { architecture: 'amd64', operatingSystem: 'linux', kubeletVersion: 'v1.36.0' } as Offer['nodeInfo'],
  labels: {},
  accepting: true,
};

/** What a provider tells the one member that uses it; tests say what that is. */
class ToldToConsumer implements SessionSource {
  offer: Offer = OFFER;
  readonly pods = new Map<string, RemotePod>();
  readonly #listeners: Parameters<SessionSource['onChange']>[0][] = [];

  offerFor(): Offer {
    return this.offer;
  }

  podsFor(): RemotePod[] {
    return [...this.pods.values()];
  }

  podFor(_peerId: string, uid: string): RemotePod | undefined {
    return this.pods.get(uid);
  }

  onChange(listener: Parameters<SessionSource['onChange']>[0]): void {
    this.#listeners.push(listener);
  }

  changed(change: Parameters<Parameters<SessionSource['onChange']>[0]>[1]): void {
    for (const listener of this.#listeners) listener('all', change);
  }
}

/** A member without a cluster that takes pods and says that they run; or whatever else a test makes it say. */
export interface Provider {
  name: string;
  /** The name of its node at the host. */
  node: string;
  agent: TestAgent;
  told: ToldToConsumer;
  /** The same member by other means: connections of its own, and bytes that no agent sends. */
  member: HostileMember;
  /** What of it is served otherwise from now on. */
  calls: Partial<CallHandlers>;
  stop(): Promise<void>;
}

export interface ProviderOptions {
  podStream?: Serving['podStream'];
}

/** Starts a member and has it join by this token. It knows nobody but whoever invited it. */
export async function startProvider(name: string, token: string, options: ProviderOptions = {}): Promise<Provider> {
  const told = new ToldToConsumer();
  const calls: Partial<CallHandlers> = {};
  const cluster = await createCluster(name);
  // Whom others bring in stays outside: sixteen members on one machine need no links to each other.
  cluster.federation = { metadata: { name: 'headcut' }, spec: { admission: 'Manual' } };
  const agent = await startAgent(cluster, {
    clock: systemClock,
    serving: { ...options, source: told, calls: overridable({ ...honestCalls(told) }, calls) },
  });
  await agent.own.rejoin();
  const member = new HostileMember({ ...cluster.identity, record: agent.own.record() });
  const { inviter } = parseJoinToken(token);
  const records = await member.join(token);
  await agent.membership.accept(
    records.filter(({ id }) => id === inviter),
    inviter,
  );
  return { name, node: `headcut-${name}`, agent, told, member, calls, stop: agent.stop };
}

/** Takes every pod, and says that it runs. */
function honestCalls(told: ToldToConsumer): Partial<CallHandlers> {
  return {
    submitPod: ({ body: { pod } }) => {
      const { uid = '', name, namespace = '' } = pod.metadata;
      told.pods.set(uid, { uid, namespace, name, deleting: false, status: runningStatus(pod.spec.containers) });
      told.changed({ podUid: uid });
      return { accepted: true };
    },
    deletePod: ({ params: { uid } }) => {
      told.pods.delete(uid);
      told.changed({ podUid: uid });
      return {};
    },
    updatePod: () => ({}),
    updateObjects: () => ({}),
    updateServices: () => ({ problems: [] }),
    stats: () => ({ pods: [] }),
    freshOffer: () => ({ offer: told.offer }),
  };
}

export function runningStatus(containers: readonly { name: string }[]): NonNullable<RemotePod['status']> {
  const startedAt = new Date(Date.now() - 10_000).toISOString();
  const ready = { type: 'Ready', status: 'True', lastTransitionTime: startedAt };
  return {
    phase: 'Running',
    startTime: startedAt,
    podIP: '10.244.0.7',
    podIPs: [{ ip: '10.244.0.7' }],
    conditions: ['PodScheduled', 'Initialized', 'ContainersReady'].map((type) => ({ ...ready, type })).concat(ready),
    containerStatuses: containers.map(({ name }) => ({
      ...{ name, ready: true, started: true, restartCount: 0, image: 'x', imageID: 'x' },
      state: { running: { startedAt } },
    })),
  } as NonNullable<RemotePod['status']>;
}

/** Handlers that look each time whether there is another one by now. */
function overridable(first: Partial<CallHandlers>, later: Partial<CallHandlers>): Partial<CallHandlers> {
  const names = Object.keys(first) as (keyof CallHandlers)[];
  const all = names.map((name) => [
    name,
    (request: never) => ((later[name] ?? first[name]) as (asked: never) => unknown)(request),
  ]);
  return Object.fromEntries(all) as Partial<CallHandlers>;
}
