import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader, FrameWriter } from '../../../src/core/network/packet-frames.ts';

const packets = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });

describe('packets in a stream', () => {
  it('come out as they went in, however the stream is cut into chunks', () => {
    fc.assert(
      fc.property(packets, fc.integer({ min: 1, max: 97 }), (sent, chunkBytes) => {
        const writer = new FrameWriter(64 * 1024);
        for (const packet of sent) expect(writer.add(Buffer.from(packet))).toBe(true);
        const bytes = writer.take();
        const reader = new FrameReader();
        const received: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += chunkBytes)
          received.push(...reader.read(bytes.subarray(at, at + chunkBytes)).map((packet) => Buffer.from(packet)));
        expect(received.map((packet) => packet.toString('hex'))).toEqual(
          sent.map((packet) => Buffer.from(packet).toString('hex')),
        );
      }),
    );
  });

  it('are refused when there is no room, and taken again after the frames were taken', () => {
    const writer = new FrameWriter(100);
    expect(writer.add(Buffer.alloc(90))).toBe(true);
    expect(writer.add(Buffer.alloc(10))).toBe(false);
    expect(writer.take()).toHaveLength(92);
    expect(writer.isEmpty).toBe(true);
    expect(writer.add(Buffer.alloc(10))).toBe(true);
  });
});
