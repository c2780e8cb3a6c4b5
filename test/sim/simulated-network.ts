import { Duplex } from 'node:stream';
import type { SimulatedTime } from './simulated-time.ts';

export interface NetworkConditions {
  /** One way; each pair of members has its own within ±50 %. */
  delayMs: number;
  /** Share of packets that are lost. */
  loss: number;
}

/**
 * Linux repeats a lost packet after a round trip and at least 200 ms, as a probe (RFC 8985 §7), after as long again, and then
 * after twice the time each (RFC 6298 §5.5).
 */
const MIN_REPEAT_MS = 200;
const MAX_REPEAT_MS = 120_000;
/** A lost SYN is repeated after a second (RFC 6298 §2.1). */
const REPEAT_SYN_MS = 1_000;
const SEGMENT_BYTES = 1_400;
/** IPv4, TCP with timestamps. */
const PACKET_HEADER_BYTES = 52;
/** Header, type and tag of a TLS 1.3 record. */
const TLS_RECORD_BYTES = 22;
/** Flights of TCP and TLS 1.3 with both certificates, and their bytes each way. */
const HANDSHAKE_FLIGHTS = 4;
const HANDSHAKE_BYTES = 1_800;

/** Packets between members, as TCP shows them: in order, late where they were lost, never where the way is cut. */
export class SimulatedNetwork {
  conditions: NetworkConditions;
  /** By sender, with all headers, and with an acknowledgement for each packet. */
  readonly sentBytes = new Map<string, number>();
  readonly #time: SimulatedTime;
  readonly #random: () => number;
  readonly #cut = new Set<string>();
  readonly #delays = new Map<string, number>();

  readonly #isPlain: boolean;

  /** @param options `isPlain`: what arrives sets nothing off that goes on by itself */
  constructor(
    time: SimulatedTime,
    random: () => number,
    conditions: NetworkConditions,
    options: { isPlain?: boolean } = {},
  ) {
    this.#isPlain = options.isPlain ?? false;
    this.#time = time;
    this.#random = random;
    this.conditions = conditions;
  }

  /** Cuts the way between two members, both directions; what is under way waits for the repair. */
  setCut(a: string, b: string, isCut: boolean): void {
    if (isCut) this.#cut.add(pairOf(a, b));
    else this.#cut.delete(pairOf(a, b));
  }

  isCut(a: string, b: string): boolean {
    return this.#cut.has(pairOf(a, b));
  }

  /** Opens a connection: the time of the handshakes of TCP and TLS, then two ends. `open` says whether `to` is up. */
  async connect(from: string, to: string, open: () => boolean, signal: AbortSignal): Promise<[Duplex, Duplex]> {
    for (let repeatMs = REPEAT_SYN_MS; this.isCut(from, to) || this.#isLost() || this.#isLost(); repeatMs *= 2)
      await this.#time.clock.sleep(repeatMs, signal);
    for (let i = 0; i < HANDSHAKE_FLIGHTS; i += 1)
      await this.#time.clock.sleep(this.delayOf(from, to) + this.#lateBy(from, to), signal);
    for (const id of [from, to]) this.#count(id, HANDSHAKE_BYTES);
    if (!open()) throw new Error('connection refused');
    const ends: [SimulatedSocket, SimulatedSocket] = [
      new SimulatedSocket((bytes, arrive) => forth(bytes, arrive)),
      new SimulatedSocket((bytes, arrive) => back(bytes, arrive)),
    ];
    const forth = this.direction(from, to);
    const back = this.direction(to, from);
    ends[0].other = ends[1];
    ends[1].other = ends[0];
    return ends;
  }

  /** Sends in order. */
  direction(from: string, to: string) {
    let readyAt = 0;
    const waiting: { at: number; arrive: () => void }[] = [];
    let isRepeating = false;
    const pump = (repeatMs: number): void => {
      isRepeating = this.isCut(from, to) && waiting.length > 0;
      if (isRepeating) this.#time.after(repeatMs, () => pump(Math.min(MAX_REPEAT_MS, 2 * repeatMs)));
      while (!isRepeating && waiting.length > 0 && (waiting[0]?.at ?? 0) <= this.#time.nowMs) waiting.shift()?.arrive();
    };
    return (bytes: number, arrive: () => void): void => {
      const segments = Math.max(1, Math.ceil(bytes / SEGMENT_BYTES));
      this.#count(from, bytes + TLS_RECORD_BYTES + segments * PACKET_HEADER_BYTES);
      this.#count(to, segments * PACKET_HEADER_BYTES);
      let lateMs = 0;
      for (let i = 0; i < segments; i += 1) lateMs = Math.max(lateMs, this.#lateBy(from, to));
      readyAt = Math.max(readyAt, Math.ceil(this.#time.nowMs + this.delayOf(from, to) + lateMs));
      waiting.push({ at: readyAt, arrive });
      this.#time.after(
        readyAt - this.#time.nowMs,
        () => {
          if (!isRepeating) pump(MIN_REPEAT_MS);
        },
        this.#isPlain,
      );
    };
  }

  /** How long a packet takes more than it would without loss. */
  #lateBy(from: string, to: string): number {
    const repeatMs = Math.max(MIN_REPEAT_MS, 2 * this.delayOf(from, to)) + 2 * this.delayOf(from, to);
    let lateMs = 0;
    for (let losses = 1; this.#isLost(); losses += 1)
      lateMs += Math.min(MAX_REPEAT_MS, repeatMs * 2 ** Math.max(0, losses - 2));
    return lateMs;
  }

  #isLost(): boolean {
    return this.#random() < this.conditions.loss;
  }

  /** One way, in ms. */
  delayOf(a: string, b: string): number {
    const pair = pairOf(a, b);
    const share = this.#delays.get(pair) ?? 0.5 + this.#random();
    this.#delays.set(pair, share);
    return this.conditions.delayMs * share;
  }

  #count(id: string, bytes: number): void {
    this.sentBytes.set(id, (this.sentBytes.get(id) ?? 0) + bytes);
  }
}

type Send = (bytes: number, arrive: () => void) => void;

/** One end of a simulated connection. */
class SimulatedSocket extends Duplex {
  other: SimulatedSocket | undefined;
  readonly #send: Send;
  #ended = false;

  constructor(send: Send) {
    super();
    this.#send = send;
    this.on('error', () => {});
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const { other } = this;
    this.#send(chunk.length, () => other?.arrive(chunk));
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), '', done);
  }

  override _final(done: () => void): void {
    this.#send(0, () => this.other?.arrive(null));
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#send(0, () => this.other?.destroy());
    done(error);
  }

  arrive(chunk: Buffer | null): void {
    if (this.destroyed || this.#ended) return;
    this.#ended = chunk === null;
    this.push(chunk);
  }
}

const pairOf = (a: string, b: string): string => (a < b ? `${a} ${b}` : `${b} ${a}`);
