import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { decodeProbe, encodeProbe, probeTag, readProbeSender } from '../../core/network/probe-message.ts';
import { problemOfPublicKey, sharedSecret } from '../../core/network/wireguard-key.ts';
import { type RateLimit, takeToken } from '../../core/rate-limit.ts';
import { backoffDelayMs, RECONCILE_BACKOFF } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';

export interface UdpProberDeps {
  privateKey: string;
  publicKey: string;
  /** Its packets leave and arrive as those of WireGuard's port: core/network/plan-nft. */
  port: number;
  /** A number nobody can guess. */
  nonce(): bigint;
  clock: Clock;
  logger: Logger;
}

/** Where a peer may be reached. */
export interface ProbeTarget {
  publicKey: string;
  /** Addresses and WireGuard's port there. */
  candidates: readonly { address: string; port: number }[];
}

interface Target extends ProbeTarget {
  secret: Buffer;
  tag: bigint;
  open: bigint | undefined;
  /** Where the last answer came from. */
  answeredFrom: { address: string; port: number } | undefined;
  answered: boolean;
  /** Questions of full size that wait for their answer, by nonce. */
  waiting: Map<bigint, () => void>;
}

/** Questions of all peers together; a probe costs an HMAC. */
const ANSWER_LIMIT: RateLimit = { perSecond: 200, burst: 400 };

/** Finds out whether UDP gets through to peers and back, on the very ports of WireGuard. */
export class UdpProber {
  readonly #deps: UdpProberDeps;
  readonly #tag: bigint;
  readonly #targets = new Map<string, Target>();
  #sockets: Partial<Record<4 | 6, Socket>> = {};
  #bucket: ReturnType<typeof takeToken>;

  constructor(deps: UdpProberDeps) {
    this.#deps = deps;
    this.#tag = probeTag(deps.publicKey);
  }

  /** Listens until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    for (let failures = 1; !signal.aborted && this.#sockets[4] === undefined; failures += 1) {
      try {
        await this.open();
      } catch (err) {
        logger.error({ err }, 'the port for probes of UDP cannot be opened; packets go through the peer port');
        await clock.sleep(backoffDelayMs(RECONCILE_BACKOFF, failures + 4, 0.5), signal).catch(() => {});
      }
    }
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    this.close();
  }

  /** Listens; throws when the port is taken. IPv6 is used where there is any. @returns the port */
  async open(): Promise<number> {
    const socket = await this.#bind('udp4');
    this.#sockets = { 4: socket };
    try {
      this.#sockets[6] = await this.#bind('udp6');
    } catch (err) {
      this.#deps.logger.debug({ err }, 'no probes over IPv6');
    }
    return socket.address().port;
  }

  close(): void {
    for (const socket of Object.values(this.#sockets)) socket.close();
    this.#sockets = {};
  }

  /** A target whose key cannot be used has no answers; that is its own trouble. */
  setTarget(id: string, target: ProbeTarget | undefined): void {
    if (target === undefined || problemOfPublicKey(target.publicKey) !== undefined)
      return void this.#targets.delete(id);
    const known = this.#targets.get(id);
    if (known?.publicKey === target.publicKey) {
      known.candidates = target.candidates;
      return;
    }
    const secret = sharedSecret(this.#deps.privateKey, target.publicKey);
    const tag = probeTag(target.publicKey);
    this.#targets.set(id, {
      ...target,
      secret,
      tag,
      open: undefined,
      answeredFrom: undefined,
      answered: false,
      waiting: new Map(),
    });
  }

  /** Where the last answer came from. */
  provedEndpoint(id: string): { address: string; port: number } | undefined {
    return this.#targets.get(id)?.answeredFrom;
  }

  /** Tells whether the last question was answered, and asks the next. @returns undefined when none was asked before */
  probe(id: string): boolean | undefined {
    const target = this.#targets.get(id);
    if (target === undefined) return undefined;
    const verdict = target.open === undefined ? undefined : target.answered;
    target.open = this.#deps.nonce();
    target.answered = false;
    const question = encodeProbe({ kind: 'question', nonce: target.open }, target.secret, this.#tag);
    for (const candidate of candidatesOf(target)) this.#send(question, candidate);
    return verdict;
  }

  /**
   * Whether a datagram of `size` bytes gets to the peer and back. Asked a few times, as one that is lost proves nothing.
   * @param everyMs between the tries
   */
  async probeSize(id: string, size: number, { tries, everyMs }: { tries: number; everyMs: number }): Promise<boolean> {
    const target = this.#targets.get(id);
    if (target === undefined) return false;
    const answered = new AbortController();
    const nonce = this.#deps.nonce();
    target.waiting.set(nonce, () => answered.abort());
    try {
      const question = encodeProbe({ kind: 'question', nonce }, target.secret, this.#tag, size);
      for (let tried = 0; tried < tries && !answered.signal.aborted; tried += 1) {
        for (const candidate of candidatesOf(target)) this.#send(question, candidate);
        await this.#deps.clock.sleep(everyMs, answered.signal).catch(() => {});
      }
      return answered.signal.aborted;
    } finally {
      target.waiting.delete(nonce);
    }
  }

  #bind(type: 'udp4' | 'udp6'): Promise<Socket> {
    const socket = createSocket({ type, ipv6Only: type === 'udp6', reuseAddr: false });
    socket.on('message', (bytes, from) => this.#onMessage(bytes, from));
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(this.#deps.port, () => {
        socket.off('error', reject);
        // Unreachable networks and the like: the missing answer says it.
        socket.on('error', () => {});
        socket.unref();
        resolve(socket);
      });
    });
  }

  #onMessage(bytes: Buffer, from: { address: string; port: number }): void {
    const tag = readProbeSender(bytes);
    const target = [...this.#targets.values()].find((one) => one.tag === tag);
    if (target === undefined) return;
    const now = this.#deps.clock.monotonic();
    const bucket = takeToken(ANSWER_LIMIT, this.#bucket, now);
    if (bucket === undefined) return;
    this.#bucket = bucket;
    const message = decodeProbe(bytes, target.secret);
    if (message === undefined) return;
    if (message.kind === 'question') {
      const answer = encodeProbe({ kind: 'answer', nonce: message.nonce }, target.secret, this.#tag, bytes.length);
      this.#send(answer, from);
      // Who asks from an address nobody announced sits behind NAT: it can be asked back there.
      target.answeredFrom ??= { address: from.address, port: from.port };
    } else if (target.waiting.has(message.nonce)) {
      target.waiting.get(message.nonce)?.();
    } else if (message.nonce === target.open) {
      target.answered = true;
      target.answeredFrom = { address: from.address, port: from.port };
    }
  }

  #send(bytes: Buffer, to: { address: string; port: number }): void {
    const version = isIP(to.address);
    if (version === 0) return;
    this.#sockets[version as 4 | 6]?.send(bytes, to.port, to.address, () => {});
  }
}

/** The one that answered last first; each once. */
function candidatesOf({ candidates, answeredFrom }: Target): { address: string; port: number }[] {
  const all = answeredFrom === undefined ? candidates : [answeredFrom, ...candidates];
  return [...new Map(all.map((one) => [`${one.address} ${one.port}`, one])).values()];
}
