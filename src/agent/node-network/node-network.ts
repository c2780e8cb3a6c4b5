import { CodedError } from '../../core/coded-error.ts';
import type { NodeFence } from '../../core/network/node-fence.ts';
import type { EntryProblem, NodeNetwork, TunnelReport } from '../../core/network/node-network.ts';
import { isNothing, planTunnel } from '../../core/network/plan-tunnel.ts';
import { formatPrefix, overlaps, parsePrefix } from '../../core/network/prefix.ts';
import { coveringNetwork } from '../../core/network/used-routes.ts';
import { publicKeyOf } from '../../core/network/wireguard-key.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { applyAddressing } from './addressing.ts';
import { FenceRules } from './fence-rules.ts';
import { GuestFrames } from './guest-frames.ts';
import { PacketRules } from './packet-rules.ts';
import { readUsedRoutes } from './routes.ts';
import { type TunnelKind, TunnelLink } from './tunnel-link.ts';

export interface NodeNetworkDeps {
  scratch: string;
  clock: Clock;
  logger: Logger;
}

/** Of a range that has more in it nothing is left anyway. */
const MAX_ROUTES = 1_000;

/** Keeps the node's network as it was last told: rules, tunnels, addresses and routes. One thing at a time. */
export class NodeNetworkKeeper {
  readonly #deps: NodeNetworkDeps;
  readonly #link: TunnelLink;
  readonly #rules = new PacketRules();
  readonly #fence: FenceRules;
  readonly #frames: GuestFrames;
  #wanted: NodeNetwork | undefined;
  #kind: TunnelKind | undefined;
  #problems: EntryProblem[] = [];
  #mtu = 0;
  #bridged = false;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(deps: NodeNetworkDeps) {
    this.#deps = deps;
    this.#fence = new FenceRules(deps);
    this.#frames = new GuestFrames(deps);
    this.#link = new TunnelLink({ ...deps, onReset: () => this.#again() });
  }

  /**
   * Makes the whole state as wanted, and checks that it is. Nothing is written where it is already. A peer whose entry cannot
   * be made is named in the report, and all others are made.
   * @param refused what the reader left out
   */
  apply(network: NodeNetwork, refused: readonly EntryProblem[] = []): Promise<TunnelReport> {
    return this.#serially(async () => {
      this.#wanted = network;
      this.#problems = [...refused, ...(await this.#apply(network))];
      return this.#report();
    });
  }

  /** The networks within a range that this node has routes to beside ours. */
  async routes(range: string): Promise<string[]> {
    const used = (await readUsedRoutes(parsePrefix(range))).map(formatPrefix);
    return [...new Set(used)].sort().slice(0, MAX_ROUTES);
  }

  report(): Promise<TunnelReport | undefined> {
    return this.#serially(async () => (this.#kind === undefined ? undefined : this.#report()));
  }

  /** Holds what is closed to whom; nothing is written where it is so already. */
  fence(fence: NodeFence): Promise<void> {
    return this.#serially(async () => {
      if (await this.#fence.apply(fence))
        this.#deps.logger.info({ guests: fence.guests.flat().length }, 'fence written');
    });
  }

  /** Leaves nothing of ours behind, also of earlier lives. */
  async remove(): Promise<void> {
    await this.removeNetwork();
    await this.#serially(() => this.#fence.remove());
  }

  /** Leaves nothing of the pod network behind; what is closed stays so. */
  removeNetwork(): Promise<void> {
    return this.#serially(async () => {
      this.#wanted = undefined;
      this.#kind = undefined;
      await this.#link.remove();
      await this.#frames.remove();
      await this.#rules.remove();
    });
  }

  /** Ends the programs that were started; link, rules and routes stay for the next life. */
  stop(): Promise<void> {
    return this.#serially(() => this.#link.stop());
  }

  async #apply(wanted: NodeNetwork): Promise<EntryProblem[]> {
    const { network, problems } = await withoutUsed(wanted);
    // The rules first: not a packet is to pass unmapped.
    const wrote = await this.#rules.apply(network);
    if (wrote) this.#deps.logger.info({ prefix: network.prefix, podCidr: network.podCidr }, 'packet rules written');
    this.#bridged = !(await this.#frames.apply(network));
    this.#kind = await this.#link.ensure();
    const failed = await this.#setTunnels(network);
    const { mtu, failures } = await applyAddressing(network);
    this.#mtu = mtu;
    const entryFailed = (publicKey: string, message: string): EntryProblem => ({
      publicKey,
      reason: 'EntryFailed',
      message,
    });
    const routeless = network.peers.flatMap(({ publicKey, prefix }) => {
      const message = failures.get(prefix);
      return message === undefined ? [] : [entryFailed(publicKey, message)];
    });
    return [...problems, ...[...failed].map(([key, message]) => entryFailed(key, message)), ...routeless];
  }

  /** @returns why single peers, by their keys, are not as they were set */
  async #setTunnels(network: NodeNetwork): Promise<ReadonlyMap<string, string>> {
    const publicKey = publicKeyOf(network.privateKey);
    const planNow = async () => planTunnel(network, await this.#link.state(), publicKey, this.#deps.clock.now());
    const plan = await planNow();
    if (isNothing(plan)) return new Map();
    const failures = new Map(await this.#link.configure(plan, network));
    const after = await planNow();
    if (after.setKey || after.setPort || after.remove.length > 0)
      throw new CodedError('Internal', 'the tunnels are not as they were set');
    // Endpoints may be learned anew between the two looks.
    for (const { publicKey: key, allowedIps } of after.set)
      if (allowedIps !== undefined && !failures.has(key)) failures.set(key, 'its tunnel is not as it was set');
    this.#deps.logger.info(
      { peers: network.peers.length, set: plan.set.length, removed: plan.remove.length, failed: failures.size },
      'tunnels set',
    );
    return failures;
  }

  async #report(): Promise<TunnelReport> {
    const { peers } = await this.#link.state();
    return {
      kind: this.#kind ?? 'kernel',
      mtu: this.#mtu,
      peers: peers.map(({ allowedIps: _, keepaliveSeconds: __, ...traffic }) => traffic),
      problems: this.#problems,
      ...(this.#bridged ? { bridged: true } : {}),
    };
  }

  #again(): void {
    this.#serially(async () => {
      if (this.#wanted !== undefined) await this.#apply(this.#wanted);
    }).catch((err: unknown) => this.#deps.logger.error({ err }, 'network of the node not restored'));
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#busy.then(work, work);
    this.#busy = done.catch(() => {});
    return done;
  }
}

/** Without the peers whose prefix this node uses for something else: nothing is routed that is somebody's. */
async function withoutUsed(network: NodeNetwork): Promise<{ network: NodeNetwork; problems: EntryProblem[] }> {
  const cover = coveringNetwork(network.peers.map(({ prefix }) => parsePrefix(prefix)));
  const used = cover === undefined ? [] : await readUsedRoutes(cover);
  const problems = network.peers.flatMap(({ publicKey, prefix }): EntryProblem[] => {
    const use = used.find((one) => overlaps(one, parsePrefix(prefix)));
    if (use === undefined) return [];
    const message = `this node has a route to ${formatPrefix(use)} beside ours, which ${prefix} meets; another spec.network.range on all members avoids that`;
    return [{ publicKey, reason: 'InUse', message }];
  });
  const left = new Set(problems.map(({ publicKey }) => publicKey));
  return { network: { ...network, peers: network.peers.filter(({ publicKey }) => !left.has(publicKey)) }, problems };
}
