import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../../core/coded-error.ts';
import { LINK } from '../../core/network/node-network.ts';
import { parseTunnelState, type TunnelPlan, type TunnelState } from '../../core/network/plan-tunnel.ts';
import { backoffDelayMs, CONNECT_BACKOFF } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { execute, runCommand } from '../../runtime/command.ts';
import { type Daemon, startDaemon } from '../../runtime/daemon.ts';
import type { Logger } from '../../runtime/logger.ts';

export interface TunnelLinkDeps {
  /** A folder for files of a moment; not on a disk, as keys pass through it. */
  scratch: string;
  clock: Clock;
  logger: Logger;
  /** The tunnels lost their configuration. */
  onReset(): void;
}

export type TunnelKind = 'kernel' | 'wireguard-go';

/** Where wireguard-go listens for its configuration; `wg` looks there too. */
const CONTROL_SOCKET = `/var/run/wireguard/${LINK}.sock`;
const READY_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 20;
/**
 * It moves packets in batches of 128 buffers of 64 KiB, of which it touches what packets fill: 6 MB at rest, 100 MB at full speed.
 * Each garbage collection throws the spare ones away, to be made and cleared anew. So they come when the limit is near, or
 * every two minutes, which gives back what a burst left behind: with GOGC=200 a tunnel carried two thirds of what it can.
 */
const DAEMON_ENVIRONMENT = { LOG_LEVEL: 'error', WG_PROCESS_FOREGROUND: '1', GOMEMLIMIT: '128MiB', GOGC: '3200' };

/**
 * The WireGuard link: the kernel's own where there is one, else a TUN link that wireguard-go serves. Both stay when this
 * process ends, with their addresses and routes, so that a restart loses at most the packets of that moment.
 */
export class TunnelLink {
  readonly #deps: TunnelLinkDeps;
  #daemon: Daemon | undefined;
  #stopping = false;
  #resetting = false;
  #failures = 0;

  constructor(deps: TunnelLinkDeps) {
    this.#deps = deps;
  }

  /** Makes the link, unless it is there. */
  async ensure(): Promise<TunnelKind> {
    const kind = (await this.#kindOfLink()) ?? (await this.#create());
    if (kind === 'wireguard-go') await this.#ensureDaemon();
    return kind;
  }

  async state(): Promise<TunnelState> {
    return parseTunnelState(await execute(['wg', 'show', LINK, 'dump']));
  }

  /** Carries out a plan. @returns why single peers, by their keys, were not set */
  async configure(
    plan: TunnelPlan,
    { privateKey, port }: { privateKey: string; port: number },
  ): Promise<ReadonlyMap<string, string>> {
    const keyFile = join(this.#deps.scratch, 'key');
    const link: string[] = [];
    if (plan.setPort) link.push('listen-port', String(port));
    if (plan.setKey) link.push('private-key', keyFile);
    for (const key of plan.remove) link.push('peer', key, 'remove');
    // Not by standard input: `wg` opens it by name, which a socket does not allow.
    if (plan.setKey) writeFileSync(keyFile, privateKey, { mode: 0o600 });
    try {
      const all = await runCommand(['wg', 'set', LINK, ...link, ...plan.set.flatMap(peerArguments)]);
      if (all.exitCode === 0) return new Map();
      // One entry that `wg` does not take ends the command for all: each by itself.
      if (link.length > 0) await execute(['wg', 'set', LINK, ...link]);
    } finally {
      rmSync(keyFile, { force: true });
    }
    const failures = new Map<string, string>();
    for (const peer of plan.set) {
      const { exitCode, stderr } = await runCommand(['wg', 'set', LINK, ...peerArguments(peer)]);
      if (exitCode !== 0) failures.set(peer.publicKey, stderr.trim());
    }
    return failures;
  }

  /** Removes the link with its addresses and routes, whether it is there or not. */
  async remove(): Promise<void> {
    await this.stop();
    if ((await this.#kindOfLink()) !== undefined) await execute(['ip', 'link', 'delete', 'dev', LINK]);
  }

  /** Ends what serves the link; the link stays. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#daemon?.stop();
    this.#daemon = undefined;
    this.#stopping = false;
  }

  async #kindOfLink(): Promise<TunnelKind | undefined> {
    const { exitCode, stdout } = await runCommand(['ip', '-json', '-details', 'link', 'show', 'dev', LINK]);
    if (exitCode !== 0) return undefined;
    const [link] = JSON.parse(stdout) as { linkinfo?: { info_kind?: string } }[];
    const kind = link?.linkinfo?.info_kind;
    if (kind === 'wireguard') return 'kernel';
    if (kind === 'tun') return 'wireguard-go';
    throw new CodedError('FailedPrecondition', `a link ${LINK} of kind ${kind} is in the way; remove or rename it`);
  }

  async #create(): Promise<TunnelKind> {
    const kernel = await runCommand(['ip', 'link', 'add', 'dev', LINK, 'type', 'wireguard']);
    if (kernel.exitCode === 0) return 'kernel';
    this.#deps.logger.info({ reason: kernel.stderr.trim() }, 'the kernel has no WireGuard; wireguard-go is used');
    await execute(['ip', 'tuntap', 'add', 'dev', LINK, 'mode', 'tun']);
    return 'wireguard-go';
  }

  async #ensureDaemon(): Promise<void> {
    if (this.#daemon !== undefined) return;
    rmSync(CONTROL_SOCKET, { force: true });
    const daemon = startDaemon(['wireguard-go', '-f', LINK], DAEMON_ENVIRONMENT);
    this.#daemon = daemon;
    void daemon.ended.then((reason) => this.#onEnd(daemon, reason));
    const { clock } = this.#deps;
    const deadline = clock.monotonic() + READY_WITHIN_MS;
    while (!existsSync(CONTROL_SOCKET)) {
      if (this.#daemon !== daemon) throw new CodedError('Unavailable', await daemon.ended);
      if (clock.monotonic() > deadline) throw new CodedError('Unavailable', 'wireguard-go is not ready in time');
      await clock.sleep(LOOK_EVERY_MS);
    }
    this.#failures = 0;
  }

  async #onEnd(daemon: Daemon, reason: string): Promise<void> {
    if (this.#daemon !== daemon || this.#stopping) return;
    this.#daemon = undefined;
    this.#failures += 1;
    this.#deps.logger.error({ reason }, 'wireguard-go ended');
    // A request may have started it again meanwhile, and failed as well: one look is enough for all.
    if (this.#resetting) return;
    this.#resetting = true;
    await this.#deps.clock.sleep(backoffDelayMs(CONNECT_BACKOFF, this.#failures, 0.5));
    this.#resetting = false;
    this.#deps.onReset();
  }
}

function peerArguments({ publicKey, allowedIps, endpoint, keepaliveSeconds }: TunnelPlan['set'][number]): string[] {
  return [
    ...['peer', publicKey],
    ...(endpoint === undefined ? [] : ['endpoint', endpoint]),
    ...(keepaliveSeconds === undefined ? [] : ['persistent-keepalive', String(keepaliveSeconds)]),
    ...(allowedIps === undefined ? [] : ['allowed-ips', allowedIps]),
  ];
}
