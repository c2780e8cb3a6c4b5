import { createSocket, type Socket } from 'node:dgram';
import type { Duplex } from 'node:stream';
import { FrameReader, FrameWriter } from '../../core/network/packet-frames.ts';
import type { Clock } from '../../runtime/clock.ts';

/**
 * The way through the peer port, where UDP is blocked: WireGuard sends to a socket of ours on loopback, whose packets go as
 * frames of a stream to the peer's agent, which hands them to its WireGuard from such a socket. End to end they stay encrypted
 * by WireGuard, so whoever carries the stream sees nothing.
 */

/** While packets come in a row they are collected this long: a write costs as much as several packets. */
const COLLECT_MS = 1;
/** They go out in one write of at most this size: four TLS records. */
const BATCH_BYTES = 64 * 1024;
/** What may wait in a stream. More would only add delay: WireGuard's users do their own congestion control, and need losses for it. */
const MAX_WAITING_BYTES = 512 * 1024;
/** Bursts of WireGuard, for a moment in which the event loop is busy elsewhere. */
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

/** The relay of one peer. */
export class PacketRelay {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #writer = new FrameWriter(BATCH_BYTES);
  /** Oldest first. */
  readonly #streams: { stream: Duplex; direct: boolean }[] = [];
  #stream: Duplex | undefined;
  #flushing = false;

  private constructor(socket: Socket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    socket.on('message', (packet) => this.#onPacket(packet));
    // WireGuard is not there for a moment.
    socket.on('error', () => {});
  }

  /** @param wireGuardPort on this node */
  static async open(wireGuardPort: number, clock: Clock): Promise<PacketRelay> {
    const socket = createSocket({
      type: 'udp4',
      recvBufferSize: SOCKET_BUFFER_BYTES,
      sendBufferSize: SOCKET_BUFFER_BYTES,
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, '127.0.0.1', resolve);
    });
    socket.removeAllListeners('error');
    // A connected socket takes packets of WireGuard alone, and sends faster.
    await new Promise<void>((resolve) => socket.connect(wireGuardPort, '127.0.0.1', () => resolve()));
    socket.unref();
    return new PacketRelay(socket, clock);
  }

  /** The endpoint that WireGuard is to use for the peer. */
  get endpoint(): string {
    const { address, port } = this.#socket.address();
    return `${address}:${port}`;
  }

  get connected(): boolean {
    return this.#stream !== undefined;
  }

  /**
   * Packets come from this stream from now on, and go over it unless there is a better one: a direct one is better than one that
   * shares its connection, a newer one better than an older one.
   */
  attach(stream: Duplex, direct: boolean, onEnd: () => void): void {
    const attached = { stream, direct };
    this.#streams.push(attached);
    this.#choose();
    const reader = new FrameReader();
    stream.on('data', (chunk: Buffer) => {
      for (const packet of reader.read(chunk)) this.#socket.send(packet);
    });
    stream.on('error', () => stream.destroy());
    stream.once('close', () => {
      this.#streams.splice(this.#streams.indexOf(attached), 1);
      this.#choose();
      onEnd();
    });
  }

  /** Ends the streams; the socket stays, so that WireGuard's endpoint keeps its meaning. */
  detach(): void {
    for (const { stream } of [...this.#streams]) stream.destroy();
  }

  #choose(): void {
    const best = this.#streams.findLast(({ direct }) => direct) ?? this.#streams.at(-1);
    this.#stream = best?.stream;
  }

  close(): void {
    this.detach();
    this.#socket.close();
  }

  #onPacket(packet: Buffer): void {
    if (this.#stream === undefined) return;
    if (!this.#writer.add(packet)) {
      this.#flush();
      this.#writer.add(packet);
    }
    if (!this.#flushing) void this.#flushSoon();
  }

  /** The first packet goes at once; while more come, they are collected. */
  async #flushSoon(): Promise<void> {
    this.#flushing = true;
    this.#flush();
    do {
      await this.#clock.sleep(COLLECT_MS);
    } while (this.#flush());
    this.#flushing = false;
  }

  /** False when there was nothing to write. */
  #flush(): boolean {
    if (this.#writer.isEmpty) return false;
    const frames = this.#writer.take();
    const stream = this.#stream;
    if (stream !== undefined && stream.writableLength < MAX_WAITING_BYTES && !stream.destroyed) stream.write(frames);
    return true;
  }
}
