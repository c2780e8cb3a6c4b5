import type { Duplex } from 'node:stream';
import { messageOf } from '../../core/coded-error.ts';
import type { TunnelPeer } from '../../core/network/node-network.ts';
import {
  NEW_PATH,
  nextPath,
  type PacketPath,
  type PathState,
  PROBE_INTERVAL_MS,
  probeIntervalMs,
} from '../../core/network/path.ts';
import type { StreamHandler } from '../../peering/serving.ts';
import { backoffDelayMs, CONNECT_BACKOFF } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { PeerLinks } from '../ports.ts';
import { PacketRelay } from './packet-relay.ts';
import type { ProbeTarget, UdpProber } from './udp-prober.ts';

export interface PeerPathsDeps {
  prober: Pick<UdpProber, 'probe' | 'setTarget' | 'provedEndpoint'>;
  links: Pick<PeerLinks, 'get'>;
  /** WireGuard's port on this node. */
  wireGuardPort(): number;
  clock: Clock;
  logger: Logger;
  /** The way to a peer changed. */
  onChange(peerId: string): void;
}

interface Way {
  target: ProbeTarget;
  state: PathState;
  probeAt: number;
  /** Since when UDP has been the way. */
  udpSince: number;
  relay: PacketRelay | undefined;
  /** When the last probe was answered. */
  answeredAt: number;
  dialing: boolean;
  dialAt: number;
  failures: number;
}

const TICK_MS = 250;
/** Three probes. */
const LOST_AFTER_MS = 3 * PROBE_INTERVAL_MS;
/** The peer may come to the same verdict a little later. */
const RELAY_LINGERS_MS = 30_000;

/** Finds and keeps the way of packets to each peer: UDP where it works, else frames in a stream of the peer port. */
export class PeerPaths {
  readonly #deps: PeerPathsDeps;
  readonly #ways = new Map<string, Way>();

  constructor(deps: PeerPathsDeps) {
    this.#deps = deps;
  }

  /** The peers to which there are to be ways. */
  setTargets(targets: ReadonlyMap<string, ProbeTarget>): void {
    for (const [id, way] of this.#ways) {
      if (targets.get(id)?.publicKey === way.target.publicKey) continue;
      way.relay?.close();
      this.#ways.delete(id);
      this.#deps.prober.setTarget(id, undefined);
    }
    for (const [id, target] of targets) {
      this.#deps.prober.setTarget(id, target);
      const known = this.#ways.get(id);
      if (known !== undefined) known.target = target;
      else this.#ways.set(id, newWay(target));
    }
  }

  /** How packets travel to a peer now; undefined when there is no way, or none was found yet. */
  pathTo(id: string): PacketPath | undefined {
    const way = this.#ways.get(id);
    if (way?.state.path === 'TLS') return way.relay?.connected === true ? 'TLS' : undefined;
    return way !== undefined && !this.#isLost(id, way) ? way.state.path : undefined;
  }

  /** A verdict was come to, whatever it is. */
  isSettled(id: string): boolean {
    const way = this.#ways.get(id);
    return way?.state.path !== undefined || this.#deps.links.get(id)?.state === 'Unreachable';
  }

  /** What WireGuard is to be told about a peer. */
  endpointOf(id: string): Pick<TunnelPeer, 'path' | 'endpoint'> {
    const way = this.#ways.get(id);
    if (way?.state.path === 'TLS' && way.relay?.connected === true)
      return { path: 'relay', endpoint: way.relay.endpoint };
    const proved = way?.state.path === 'UDP' ? this.#deps.prober.provedEndpoint(id) : undefined;
    const best = proved ?? way?.target.candidates[0];
    return { path: 'udp', endpoint: best === undefined ? undefined : formatSocketAddress(best) };
  }

  /** Takes streams that peers open because they found UDP blocked. */
  readonly serve: StreamHandler<'packets'> = async ({ peerId, query, accept }) => {
    const way = this.#ways.get(peerId);
    const stream = accept();
    if (way === undefined) return void stream.destroy();
    await this.#attach(peerId, way, stream, query.direct !== undefined);
  };

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = this.#deps.clock.monotonic();
      for (const [id, way] of this.#ways) {
        this.#probe(id, way, now);
        this.#keepRelay(id, way, now, signal);
      }
      await this.#deps.clock.sleep(TICK_MS, signal).catch(() => {});
    }
    for (const way of this.#ways.values()) way.relay?.close();
    this.#ways.clear();
  }

  #probe(id: string, way: Way, now: number): void {
    if (now < way.probeAt) return;
    const answered = this.#deps.prober.probe(id);
    const link = this.#deps.links.get(id);
    const before = { path: way.state.path, lost: this.#isLost(id, way) };
    if (answered === true) way.answeredAt = now;
    // Probes are answered by the peer's agent: while that is away, nothing is known of the way, and the tunnel may well work.
    if (answered === true || (answered === false && link?.state === 'Connected'))
      way.state = nextPath(way.state, answered, now);
    way.probeAt = now + probeIntervalMs(way.state);
    const { path } = way.state;
    if (path !== before.path) {
      way.udpSince = now;
      this.#deps.logger.info({ peer: link?.name, path }, 'packets take another way');
    }
    if (path !== before.path || this.#isLost(id, way) !== before.lost) this.#deps.onChange(id);
  }

  /** Neither UDP nor the peer port answers: the peer is dead or cut off, and not only its agent away. */
  #isLost(id: string, way: Way): boolean {
    const silentMs = this.#deps.clock.monotonic() - way.answeredAt;
    return this.#deps.links.get(id)?.state === 'Unreachable' && silentMs > LOST_AFTER_MS;
  }

  #keepRelay(id: string, way: Way, now: number, signal: AbortSignal): void {
    const reachable = this.#deps.links.get(id)?.state === 'Connected';
    if (way.state.path === 'UDP' && now - way.udpSince > RELAY_LINGERS_MS) way.relay?.detach();
    if (this.#deps.links.get(id)?.state === 'Unreachable') way.relay?.detach();
    const wanted = way.state.path === 'TLS' && reachable && way.relay?.connected !== true;
    if (!wanted || way.dialing || now < way.dialAt) return;
    way.dialing = true;
    this.#dial(id, way, signal)
      .then(
        () => {
          way.failures = 0;
        },
        (error: unknown) => {
          way.failures += 1;
          this.#deps.logger.warn(
            { peer: this.#deps.links.get(id)?.name, reason: messageOf(error) },
            'no packet stream',
          );
        },
      )
      .finally(() => {
        way.dialing = false;
        way.dialAt = this.#deps.clock.monotonic() + backoffDelayMs(CONNECT_BACKOFF, Math.max(1, way.failures), 0.5);
      });
  }

  async #dial(id: string, way: Way, signal: AbortSignal): Promise<void> {
    const link = this.#deps.links.get(id);
    if (link === undefined) return;
    // The connection that is there carries packets at once; one of their own costs a handshake, and half the work then.
    await this.#attach(id, way, await link.stream('packets', {}, signal), false);
    await link.dedicatedStream('packets', { direct: '' }, signal).then(
      (stream) => this.#attach(id, way, stream, true),
      (error: unknown) => this.#deps.logger.debug({ peer: link.name, reason: messageOf(error) }, 'no direct stream'),
    );
  }

  async #attach(id: string, way: Way, stream: Duplex, direct: boolean): Promise<void> {
    way.relay ??= await PacketRelay.open(this.#deps.wireGuardPort(), this.#deps.clock);
    if (this.#ways.get(id) !== way) return void stream.destroy();
    way.relay.attach(stream, direct, () => this.#deps.onChange(id));
    this.#deps.onChange(id);
  }
}

function newWay(target: ProbeTarget): Way {
  return {
    target,
    state: NEW_PATH,
    probeAt: 0,
    udpSince: 0,
    relay: undefined,
    answeredAt: Number.NEGATIVE_INFINITY,
    dialing: false,
    dialAt: 0,
    failures: 0,
  };
}

function formatSocketAddress({ address, port }: { address: string; port: number }): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
