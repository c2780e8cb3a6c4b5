import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from '../../src/core/kube-objects.ts';
import { fault } from '../../test/e2e/faults.ts';
import type { SteadyClient } from './clients.ts';
import { isReady, type ObservedWorld } from './observed-world.ts';

/** A fault of the lab, in its words, and which member is lost by it. */
export interface Scenario {
  name: string;
  words: string;
  lost: 'a' | 'c';
}

export const SCENARIOS: Record<string, Scenario> = {
  killed: { name: 'provider killed', words: 'power c', lost: 'c' },
  frozen: { name: 'provider frozen', words: 'freeze c', lost: 'c' },
  cut: { name: 'link cut', words: 'cut c', lost: 'c' },
  consumer: { name: 'consumer killed', words: 'power a', lost: 'a' },
};

/** What one run showed: seconds and counts. Undefined where there is no such thing. */
export interface Figures {
  notReady: number;
  endpointsOutHome?: number;
  endpointsOutElsewhere: number;
  replaced?: number;
  duplicate?: number;
  failedHome?: number;
  failedElsewhere: number;
  lastFailure: number;
  healed: number;
  touched: number;
}

/** `a` is the consumer; its clients are in a pod of its own and in one that runs on `b`. */
export interface Stage {
  world: ObservedWorld;
  replicas: number;
  clients: { home: SteadyClient; elsewhere: SteadyClient };
}

/** Far above what is promised: a miss is to be seen as a figure. */
const NOTICED_WITHIN_MS = 60_000;
/** The start of a whole cluster and of its agent. */
const HEALED_WITHIN_MS = 240_000;
/** A fault goes on for a while after all was replaced: requests may fail yet. */
const LASTS_ON_MS = 3_000;

/** Makes the fault, takes the times since then, ends it, and takes the times since its end. */
export async function runScenario(stage: Stage, { words, lost }: Scenario): Promise<Figures> {
  const { world, clients } = stage;
  const before = lookBefore(world, lost);
  const start = performance.now();
  const startedAt = Date.now();
  await using active = await fault(words);
  const times = await (lost === 'a' ? consumerLost(world, before) : providerLost(stage, before));
  await sleep(LASTS_ON_MS);
  const end = performance.now();
  await active.end();
  // Watches of a cluster that was down come back by and by: it is looked at anew, as soon as its API server answers.
  if (words.startsWith('power')) await world.follow(lost);
  const backAt = words.startsWith('power') ? performance.now() : end;
  const [gone, healed] = await Promise.all([supersededGone(world, lost), allWell(stage, lost)]);
  const [home, elsewhere] = [clients.home.answersSince(startedAt), clients.elsewhere.answersSince(startedAt)];
  return {
    ...(Object.fromEntries(Object.entries(times).map(([name, at]) => [name, (at - start) / 1000])) as typeof times),
    ...(lost === 'a' ? {} : { duplicate: (gone - backAt) / 1000, failedHome: home.failed }),
    failedElsewhere: elsewhere.failed,
    lastFailure: Math.max(lost === 'a' ? 0 : home.lastFailureS, elsewhere.lastFailureS),
    healed: (healed - end) / 1000,
    touched: before.kept.difference(fingerprints(webPods(world))).size,
  };
}

interface Before {
  /** Addresses of the pods on the lost member, as `a` and `b` show them. */
  addresses: ReadonlySet<string>;
  /** Pods on the others: UID and restart count. */
  kept: ReadonlySet<string>;
}

function lookBefore(world: ObservedWorld, lost: 'a' | 'c'): Before {
  const isLost = (pod: Pod): boolean => pod.spec.nodeName === (lost === 'a' ? 'a' : 'headcut-c');
  const gone = webPods(world).filter(isLost);
  if (gone.length === 0) throw new Error(`no replica runs on ${lost}: nothing would be lost`);
  const kept = webPods(world).filter((pod) => !isLost(pod));
  return {
    addresses: lost === 'a' ? homeAddressesOnB(world, kept) : new Set(gone.map(addressOf)),
    kept: fingerprints(kept),
  };
}

/** `b` knows pods of `a` by other addresses than `a` does: by all that are neither its own nor those of pods elsewhere. */
function homeAddressesOnB(world: ObservedWorld, elsewhere: Pod[]): Set<string> {
  const others = new Set([...elsewhere, ...world.view('b').pods.list()].map(addressOf));
  return world.endpoints('b').difference(others);
}

async function providerLost({ world, replicas }: Stage, { addresses }: Before) {
  const elsewhere = (pod: Pod): boolean => isReady(pod) && pod.spec.nodeName !== 'headcut-c';
  const [notReady, endpointsOutHome, endpointsOutElsewhere, replaced] = await Promise.all([
    world.when('c NotReady on a', () => !isNodeReady(world, 'a', 'c'), NOTICED_WITHIN_MS),
    world.when('endpoints out on a', () => world.endpoints('a').isDisjointFrom(addresses), NOTICED_WITHIN_MS),
    world.when('endpoints out on b', () => world.endpoints('b').isDisjointFrom(addresses), NOTICED_WITHIN_MS),
    world.when('replaced', () => webPods(world).filter(elsewhere).length === replicas, NOTICED_WITHIN_MS),
  ]);
  return { notReady, endpointsOutHome, endpointsOutElsewhere, replaced };
}

async function consumerLost(world: ObservedWorld, { addresses }: Before) {
  const [notReady, endpointsOutElsewhere] = await Promise.all([
    world.when('a NotReady on b', () => !isNodeReady(world, 'b', 'a'), NOTICED_WITHIN_MS),
    world.when('endpoints out on b', () => world.endpoints('b').isDisjointFrom(addresses), NOTICED_WITHIN_MS),
  ]);
  return { notReady, endpointsOutElsewhere };
}

/** On the member that came back there is no twin any more of a pod that was replaced. */
function supersededGone(world: ObservedWorld, lost: 'a' | 'c'): Promise<number> {
  const isDone = (): boolean => {
    const wanted = new Set(webPods(world).map((pod) => pod.metadata.uid));
    const twins = world.view('c').pods.list().filter(isWeb);
    return twins.every((pod) => wanted.has(pod.metadata.labels?.['headcut.dev/origin-uid']));
  };
  return lost === 'a' ? Promise.resolve(0) : world.when('superseded copies gone', isDone, HEALED_WITHIN_MS);
}

function allWell({ world, replicas }: Stage, lost: 'a' | 'c'): Promise<number> {
  const isDone = (): boolean => {
    const pods = webPods(world);
    return (
      (lost === 'a' ? isNodeReady(world, 'b', 'a') : isNodeReady(world, 'a', 'c')) &&
      pods.length === replicas &&
      pods.every(isReady) &&
      ['a', 'b'].every((cluster) => world.endpoints(cluster).size === replicas)
    );
  };
  return world.when('all replicas Ready and in their Services', isDone, HEALED_WITHIN_MS);
}

function isNodeReady(world: ObservedWorld, cluster: string, peer: string): boolean {
  const node = world.view(cluster).nodes.get(`headcut-${peer}`);
  return node !== undefined && isReady(node);
}

const isWeb = (pod: Pod): boolean => pod.metadata.labels?.app === 'web';

const webPods = (world: ObservedWorld): Pod[] => world.view('a').pods.list().filter(isWeb);

const addressOf = (pod: Pod): string => pod.status?.podIP ?? '';

function fingerprints(pods: readonly Pod[]): Set<string> {
  return new Set(
    pods.map(({ metadata, status }) => `${metadata.uid} ${status?.containerStatuses?.map((one) => one.restartCount)}`),
  );
}
