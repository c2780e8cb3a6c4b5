import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../../core/coded-error.ts';
import type { Node, Pod } from '../../core/kube-objects.ts';
import { PEER_LABEL } from '../../core/labels.ts';
import { FEDERATION_NAME, type FederationObject } from '../../core/membership/peer-object.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { mustMove } from '../../core/network/claim-holders.ts';
import { type GuestHome, guestHomes } from '../../core/network/guest-homes.ts';
import { type ClaimPlan, type NetworkClaim, planClaim } from '../../core/network/network-claim.ts';
import type { NodeNetwork, TunnelReport } from '../../core/network/node-network.ts';
import {
  claimLimits,
  findPodCidr,
  holderContext,
  NETWORK_OFF,
  type NetworkSettings,
  networkSettings,
  type PeerNetwork,
  planPeerNetworks,
  problemOfRange,
  usedNetworks,
  wellFormed,
} from '../../core/network/plan-network.ts';
import { overlaps, type Prefix, parsePrefix } from '../../core/network/prefix.ts';
import { reachablePods } from '../../core/network/reachable-pods.ts';
import { isTerminal } from '../../core/pod-phase.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { HomeServices, OwnIdentity, PeerLinks, Roster } from '../ports.ts';
import type { Namespaces } from './namespaces.ts';
import type { NetworkMemory } from './network-memory.ts';
import type { NetworkState } from './network-state.ts';
import type { NodeNetworkClient } from './node-network-client.ts';
import type { PeerHosts } from './peer-hosts.ts';
import type { PeerPaths } from './peer-paths.ts';

export interface NetworkDeps {
  memory: Pick<NetworkMemory, 'keys' | 'holders' | 'keep' | 'store' | 'isStored' | 'isFresh'>;
  own: OwnIdentity & { setNetwork(claim: NetworkClaim | undefined): Promise<void> };
  roster: Pick<Roster, 'records' | 'onChange'>;
  links: Pick<PeerLinks, 'onChange'>;
  nodes: Store<Node>;
  pods: Store<Pod>;
  federations: Store<FederationObject>;
  namespaces: Namespaces;
  /** Resolves when the stored members are known: a claim made before could clash with theirs. */
  peersSynced(): Promise<void>;
  node: Pick<NodeNetworkClient, 'ask' | 'routes' | 'generation' | 'close'>;
  hosts: PeerHosts;
  paths: PeerPaths;
  probePort: number;
  /** The networks of this cluster's Services. */
  serviceCidrs: string[];
  homeServices: HomeServices;
  state: NetworkState;
  /** A look at the whole ended, well or not. */
  onLook(): void;
  clock: Clock;
  logger: Logger;
}

const KEY = 'network';
/** Pods come in bursts. */
const SETTLE_MS = 50;
/** How often the tunnels are looked at, for handshakes. */
const REPORT_EVERY_MS = 5_000;
const WAITING_EVERY_MS = 2_000;
/** How often the whole state is compared with what is there, in case somebody else changed it. */
const VERIFY_EVERY_MS = 30_000;
/** A prefix that cannot be kept is replaced at most this often. */
const RECLAIM_EVERY_MS = 5_000;
/** Who holds what is written at most this often, whoever changes its claim however often. */
const STORE_EVERY_MS = 10_000;

/**
 * This member's part of the pod network: claims its prefix, and has the node's tunnels and rules made for all members with a
 * claim that stands. One key: every look is at the whole.
 */
export class Network {
  readonly controller: Controller;
  readonly #deps: NetworkDeps;
  #applied: { network: NodeNetwork | undefined; generation: number; at: number } | undefined;
  #claimedAt = Number.NEGATIVE_INFINITY;
  #storedAt = Number.NEGATIVE_INFINITY;
  #used: { networks: Prefix[]; range: string; at: number } | undefined;

  constructor(deps: NetworkDeps) {
    this.#deps = deps;
    const { clock, logger } = deps;
    this.controller = createController({
      name: KEY,
      clock,
      logger,
      reconcile: () => this.#reconcile(),
      // The process beside us may start a little later than we.
      backoff: { baseMs: 250, maxMs: 5_000, jitter: 0.2 },
    });
    deps.roster.onChange(() => this.touch());
    deps.links.onChange((_id, change) => {
      if (change === 'added' || change === 'removed') this.touch();
    });
    deps.federations.onChange((_key, after, before) => {
      if (!isDeepStrictEqual(after?.spec, before?.spec)) this.touch();
    });
    deps.pods.onChange((_key, after, before) => {
      // Whether it may be reached is looked at then.
      if (after?.status?.podIP !== before?.status?.podIP || isTerminal(after?.status) !== isTerminal(before?.status))
        this.controller.enqueueAfter(KEY, SETTLE_MS);
    });
    deps.namespaces.onChange(() => this.controller.enqueueAfter(KEY, SETTLE_MS));
    deps.homeServices.onChange(() => this.controller.enqueueAfter(KEY, SETTLE_MS));
    deps.nodes.onChange((_key, after, before) => {
      const { spec, status } = after ?? {};
      if (!isDeepStrictEqual([spec, status?.addresses], [before?.spec, before?.status?.addresses])) this.touch();
    });
  }

  /** Something changed. */
  touch(): void {
    this.controller.enqueue(KEY);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { nodes, pods, federations, namespaces, homeServices, peersSynced, node } = this.#deps;
    await Promise.race([
      Promise.all([
        ...[nodes, pods, federations, namespaces, homeServices].map((one) => one.whenSynced()),
        peersSynced(),
      ]),
      aborted(signal),
    ]);
    this.touch();
    await this.controller.run(signal);
    node.close();
  }

  async #reconcile(): Promise<ReconcileResult> {
    const { federations, state, onLook } = this.#deps;
    const settings = networkSettings(federations.get(FEDERATION_NAME)?.spec);
    try {
      const used = settings.enabled ? await this.#usedNetworks(settings) : [];
      const claim = await this.#claim(settings, used);
      if (claim === 'later') return { requeueAfterMs: RECLAIM_EVERY_MS };
      await this.#carryOut(claim, settings, used);
      await this.#store();
      state.failure = undefined;
      state.settle();
    } catch (error) {
      state.failure = messageOf(error);
      throw error;
    } finally {
      onLook();
    }
    // A tunnel that is being made is waited for by pods without an address.
    return { requeueAfterMs: isWaiting(state.report) ? WAITING_EVERY_MS : REPORT_EVERY_MS };
  }

  /** What this node uses beside the pod network, as far as that is known. */
  async #usedNetworks(settings: NetworkSettings): Promise<Prefix[]> {
    const { node, serviceCidrs, clock } = this.#deps;
    const { range } = settings;
    const known = this.#used;
    const now = clock.monotonic();
    const isKnown = known?.range === range && now - known.at < VERIFY_EVERY_MS;
    const networks = isKnown ? known.networks : usedNetworks({ reserved: [] }, await node.routes(range), serviceCidrs);
    if (!isKnown) this.#used = { networks, range, at: now };
    return [...networks, ...usedNetworks(settings, [], [])];
  }

  /** The own claim, made known to all; undefined when this cluster takes no part. */
  async #claim(settings: NetworkSettings, used: Prefix[]): Promise<NetworkClaim | undefined | 'later'> {
    const { own, state, clock, logger } = this.#deps;
    const present = own.record().network;
    const plan = this.#planClaim(settings, used, present);
    if ('refused' in plan) {
      if (state.refused?.reason !== plan.refused.reason) logger.info(plan.refused, 'no part in the pod network');
      state.refused = plan.refused;
      await own.setNetwork(undefined);
      return undefined;
    }
    const { claim } = plan;
    if (present !== undefined && present.prefix !== claim.prefix) {
      if (clock.monotonic() - this.#claimedAt < RECLAIM_EVERY_MS) return 'later';
      logger.warn({ before: present.prefix, prefix: claim.prefix }, 'the prefix could not be kept');
    }
    if (present?.prefix !== claim.prefix) this.#claimedAt = clock.monotonic();
    await own.setNetwork(claim);
    state.refused = undefined;
    return claim;
  }

  #planClaim(settings: NetworkSettings, used: Prefix[], present: NetworkClaim | undefined): ClaimPlan {
    const { own, nodes, clock } = this.#deps;
    if (!settings.enabled) return { refused: NETWORK_OFF };
    const found = findPodCidr(nodes.list());
    if ('refused' in found) return found;
    const { podCidr } = found;
    const { range, port } = settings;
    const refused = problemOfRange(range, podCidr, nodes.list());
    if (refused !== undefined) return { refused };
    const { memory } = this.#deps;
    const claims = wellFormed(this.#others(), claimLimits(settings, podCidr));
    return planClaim({
      ...{ id: own.id, present, publicKey: memory.keys.publicKey, port, podCidr, range, used, now: clock.now() },
      mustMove: present !== undefined && this.#mustMove(present, settings),
      held: memory.holders().held.map(({ prefix }) => parsePrefix(prefix)),
      claimed: claims.map(({ claim }) => parsePrefix(claim.prefix)),
    });
  }

  #others(): PeerRecord[] {
    const { roster, own } = this.#deps;
    return roster.records().filter((record) => record.id !== own.id);
  }

  /** The claims of others seen from a claim of our own. */
  #claimsInput(claim: NetworkClaim, settings: NetworkSettings, used: Prefix[]) {
    const { own, memory, clock } = this.#deps;
    const members = this.#others();
    const kept = memory.holders();
    // A build that stored nothing knew its peers before.
    const holders = memory.isFresh && members.length > 0 ? { ...kept, met: true } : kept;
    const limits = claimLimits(settings, claim.podCidr);
    return { own: { id: own.id, claim }, members, limits, used, holders, now: clock.now() };
  }

  #mustMove(present: NetworkClaim, settings: NetworkSettings): boolean {
    const { memory, clock } = this.#deps;
    const input = this.#claimsInput(present, settings, []);
    const claims = wellFormed(input.members, input.limits);
    const prefix = parsePrefix(present.prefix);
    if (!claims.some(({ claim }) => overlaps(prefix, parsePrefix(claim.prefix)))) return false;
    const { holders: after } = planPeerNetworks(input);
    const moves = mustMove({ before: input.holders, after, claims, context: holderContext(input) });
    if (moves) memory.keep({ ...after, movedAt: clock.now() });
    return moves;
  }

  async #carryOut(claim: NetworkClaim | undefined, settings: NetworkSettings, used: Prefix[]): Promise<void> {
    const { paths, hosts, memory, state } = this.#deps;
    let planned = new Map<string, PeerNetwork>();
    if (claim !== undefined) {
      const { peers, holders } = planPeerNetworks(this.#claimsInput(claim, settings, used));
      memory.keep(holders);
      planned = peers;
    }
    const usable = this.#others().filter(({ id }) => 'claim' in (planned.get(id) ?? {}));
    hosts.retain(usable);
    paths.setTargets(
      new Map(
        usable.map((record) => [
          record.id,
          { publicKey: record.network?.publicKey ?? '', candidates: hosts.candidatesOf(record) },
        ]),
      ),
    );
    const homes = claim === undefined ? new Map<string, GuestHome>() : this.#homes(claim, usable);
    const wanted = claim === undefined ? undefined : this.#wanted({ claim, usable, settings, homes });
    await this.#make(wanted);
    state.peers = withProblems(planned, state.report);
    state.homes = homes;
    state.local = wanted?.local ?? [];
  }

  /** Who holds what is known over restarts; a store that does not answer stops nothing. */
  async #store(): Promise<void> {
    const { memory, clock, logger } = this.#deps;
    const now = clock.monotonic();
    if (memory.isStored || now - this.#storedAt < STORE_EVERY_MS) return;
    this.#storedAt = now;
    await memory
      .store()
      .catch((err: unknown) => logger.warn({ err }, 'who holds which part of the pod network was not stored'));
  }

  #wanted(input: {
    claim: NetworkClaim;
    usable: PeerRecord[];
    settings: NetworkSettings;
    homes: ReadonlyMap<string, GuestHome>;
  }): NodeNetwork {
    const { claim, usable, settings } = input;
    const { memory, probePort, paths, serviceCidrs, homeServices } = this.#deps;
    const peers = usable.flatMap(({ id, network }) =>
      network === undefined ? [] : [{ publicKey: network.publicKey, prefix: network.prefix, ...paths.endpointOf(id) }],
    );
    const { port, podCidr, prefix } = claim;
    const reachable = settings.reachable === 'All' ? undefined : this.#reachable(podCidr);
    const { privateKey } = memory.keys;
    const homes = [...input.homes.values()];
    // What the owner opened to guests, and the agent's Services for them, are there under their addresses here.
    const local = [...settings.guestNetworks, ...homeServices.local().map((address) => `${address}/32`)];
    return { privateKey, port, probePort, podCidr, prefix, reachable, serviceCidrs, homes, local, peers };
  }

  #homes({ podCidr }: NetworkClaim, usable: readonly PeerRecord[]): Map<string, GuestHome> {
    const { pods, nodes, namespaces, homeServices } = this.#deps;
    const claims = new Map(usable.map(({ id, network }) => [id, network]));
    return guestHomes({
      pods: pods.list(),
      podCidr: parsePrefix(podCidr),
      isHere: (name) => nodes.get(name)?.metadata.labels?.[PEER_LABEL] === undefined,
      twinOf: (namespace) => namespaces.twinOf(namespace),
      claimOf: (member) => claims.get(member),
      servicesOf: (member) => homeServices.servicesOf(member),
    });
  }

  #reachable(podCidr: string): string[] {
    const { pods, namespaces } = this.#deps;
    return reachablePods(pods.list(), parsePrefix(podCidr), namespaces);
  }

  /** Has the node's network made, where it is not known to be so. */
  async #make(network: NodeNetwork | undefined): Promise<void> {
    const { node, clock, state } = this.#deps;
    const now = clock.monotonic();
    const known = this.#applied;
    const isKnown =
      known !== undefined &&
      known.generation === node.generation &&
      isDeepStrictEqual(known.network, network) &&
      (network === undefined || now - known.at < VERIFY_EVERY_MS);
    if (isKnown) {
      if (network === undefined) return;
      state.report = await node.ask({ type: 'report' });
      // Another process answered, which knows nothing yet.
      if (node.generation === known.generation && state.report !== undefined) return;
    }
    state.report = await node.ask(network === undefined ? { type: 'remove' } : { type: 'apply', network });
    this.#applied = { network, generation: node.generation, at: now };
  }
}

function isWaiting(report: TunnelReport | undefined): boolean {
  return report?.peers.some((peer) => peer.handshakeAt === undefined) === true;
}

/** As planned, but for those peers of whom the node could not make anything. */
function withProblems(planned: Map<string, PeerNetwork>, report: TunnelReport | undefined): Map<string, PeerNetwork> {
  const problems = new Map(report?.problems?.map((problem) => [problem.publicKey, problem]));
  if (problems.size === 0) return planned;
  return new Map(
    [...planned].map(([id, peer]): [string, PeerNetwork] => {
      const problem = 'claim' in peer ? problems.get(peer.claim.publicKey) : undefined;
      if (problem === undefined) return [id, peer];
      const { reason, message } = problem;
      return [id, { refused: { reason, message: `its part of the network could not be made here: ${message}` } }];
    }),
  );
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
