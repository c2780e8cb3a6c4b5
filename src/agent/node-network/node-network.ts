import { CodedError } from '../../core/coded-error.ts';
import type { NodeNetwork, TunnelReport } from '../../core/network/node-network.ts';
import { isNothing, planTunnel } from '../../core/network/plan-tunnel.ts';
import { publicKeyOf } from '../../core/network/wireguard-key.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { applyAddressing } from './addressing.ts';
import { PacketRules } from './packet-rules.ts';
import { type TunnelKind, TunnelLink } from './tunnel-link.ts';

export interface NodeNetworkDeps {
  scratch: string;
  clock: Clock;
  logger: Logger;
}

/** Keeps the node's network as it was last told: rules, tunnels, addresses and routes. One thing at a time. */
export class NodeNetworkKeeper {
  readonly #deps: NodeNetworkDeps;
  readonly #link: TunnelLink;
  readonly #rules = new PacketRules();
  #wanted: NodeNetwork | undefined;
  #kind: TunnelKind | undefined;
  #mtu = 0;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(deps: NodeNetworkDeps) {
    this.#deps = deps;
    this.#link = new TunnelLink({ ...deps, onReset: () => this.#again() });
  }

  /** Makes the whole state as wanted, and checks that it is. Nothing is written where it is already. */
  apply(network: NodeNetwork): Promise<TunnelReport> {
    return this.#serially(async () => {
      this.#wanted = network;
      await this.#apply(network);
      return this.#report();
    });
  }

  report(): Promise<TunnelReport | undefined> {
    return this.#serially(async () => (this.#kind === undefined ? undefined : this.#report()));
  }

  /** Leaves nothing of ours behind, also of earlier lives. */
  remove(): Promise<void> {
    return this.#serially(async () => {
      this.#wanted = undefined;
      this.#kind = undefined;
      await this.#link.remove();
      await this.#rules.remove();
    });
  }

  /** Ends the programs that were started; link, rules and routes stay for the next life. */
  stop(): Promise<void> {
    return this.#serially(() => this.#link.stop());
  }

  async #apply(network: NodeNetwork): Promise<void> {
    // The rules first: not a packet is to pass unmapped.
    const wrote = await this.#rules.apply(network);
    if (wrote) this.#deps.logger.info({ prefix: network.prefix, podCidr: network.podCidr }, 'packet rules written');
    this.#kind = await this.#link.ensure();
    const publicKey = publicKeyOf(network.privateKey);
    const plan = planTunnel(network, await this.#link.state(), publicKey, this.#deps.clock.now());
    if (!isNothing(plan)) {
      await this.#link.configure(plan, network);
      const after = planTunnel(network, await this.#link.state(), publicKey, this.#deps.clock.now());
      // Endpoints may be learned anew between the two looks.
      const open = { ...after, set: after.set.filter((one) => one.allowedIps !== undefined) };
      if (!isNothing(open)) throw new CodedError('Internal', 'the tunnels are not as they were set');
      this.#deps.logger.info(
        { peers: network.peers.length, set: plan.set.length, removed: plan.remove.length },
        'tunnels set',
      );
    }
    this.#mtu = (await applyAddressing(network)).mtu;
  }

  async #report(): Promise<TunnelReport> {
    const { peers } = await this.#link.state();
    return {
      kind: this.#kind ?? 'kernel',
      mtu: this.#mtu,
      peers: peers.map(({ allowedIps: _, keepaliveSeconds: __, ...traffic }) => traffic),
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
