/** Packets in a stream: each is preceded by its length, two bytes. */

const LENGTH_BYTES = 2;
/** WireGuard's packets are smaller than the largest UDP datagram; anything else is an error of the stream. */
export const MAX_PACKET_BYTES = 65_535;

/** Collects packets into one buffer, which is written at once: one write a packet would cost more than the packet. */
export class FrameWriter {
  readonly #buffer: Buffer;
  #used = 0;

  /** @param capacityBytes how much is collected at most; what does not fit is not taken */
  constructor(capacityBytes: number) {
    this.#buffer = Buffer.allocUnsafe(capacityBytes);
  }

  get isEmpty(): boolean {
    return this.#used === 0;
  }

  /** False when there is no room. */
  add(packet: Buffer): boolean {
    const { length } = packet;
    if (this.#used + LENGTH_BYTES + length > this.#buffer.length) return false;
    this.#buffer.writeUInt16BE(length, this.#used);
    packet.copy(this.#buffer, this.#used + LENGTH_BYTES);
    this.#used += LENGTH_BYTES + length;
    return true;
  }

  /** What was collected, as a copy of its own; the writer is empty then. */
  take(): Buffer {
    const taken = Buffer.from(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
    return taken;
  }
}

/** Takes a stream apart into packets, however its chunks fall. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The packets that are complete with this chunk; parts of it, not copies. */
  read(chunk: Buffer): Buffer[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const packets: Buffer[] = [];
    let at = 0;
    while (at + LENGTH_BYTES <= bytes.length) {
      const end = at + LENGTH_BYTES + bytes.readUInt16BE(at);
      if (end > bytes.length) break;
      packets.push(bytes.subarray(at + LENGTH_BYTES, end));
      at = end;
    }
    this.#rest = bytes.subarray(at);
    return packets;
  }
}
