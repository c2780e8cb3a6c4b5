import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { LiveStream } from '../../src/console/live-stream.ts';

const LONG = 'x'.repeat(200);

/** A socket with room for 100 bytes, whose other end reads when it is told to. */
class SlowSocket extends Writable {
  readonly written: string[] = [];
  #taken: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 100 });
  }

  override _write(chunk: Buffer, _encoding: string, taken: () => void): void {
    this.written.push(chunk.toString());
    this.#taken = taken;
  }

  /** Takes what was written until nothing more comes. */
  async readAll(): Promise<void> {
    while (this.#taken !== undefined) {
      const taken = this.#taken;
      this.#taken = undefined;
      taken();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

describe('the stream of one page', () => {
  test('gives each section, though one text alone is more than the socket has room for', async () => {
    const socket = new SlowSocket();
    const stream = new LiveStream(socket);
    stream.send('workloads', LONG);
    stream.send('time', '1');
    stream.send('rights', LONG);
    stream.send('pod', 'null');
    await socket.readAll();
    expect(socket.written).toEqual([
      `event: workloads\ndata: ${LONG}\n\n`,
      'event: time\ndata: 1\n\n',
      `event: rights\ndata: ${LONG}\n\n`,
      'event: pod\ndata: null\n\n',
    ]);
  });

  test('keeps for a page that does not read one state a section, the newest', async () => {
    const socket = new SlowSocket();
    const stream = new LiveStream(socket);
    for (let turn = 0; turn < 1_000; turn += 1) {
      stream.send('federation', `${LONG}${turn}`);
      stream.send('time', `${turn}`);
    }
    expect(socket.writableLength).toBeLessThan(1_000);
    await socket.readAll();
    expect(socket.written).toHaveLength(3);
    expect(socket.written.at(-2)).toBe('event: time\ndata: 999\n\n');
    expect(socket.written.at(-1)).toBe(`event: federation\ndata: ${LONG}999\n\n`);
  });

  test('a section that changes all the time does not keep the others back', async () => {
    const socket = new SlowSocket();
    const stream = new LiveStream(socket);
    stream.send('federation', LONG);
    stream.send('federation', LONG);
    stream.send('time', LONG);
    stream.send('federation', LONG);
    await socket.readAll();
    expect(socket.written.map((text) => /^event: (\w+)/.exec(text)?.[1])).toEqual(['federation', 'federation', 'time']);
  });

  test.each(['end', 'destroy'] as const)('nothing is written after its %s, and nothing thrown', async (way) => {
    const socket = new SlowSocket();
    const stream = new LiveStream(socket);
    stream.send('workloads', LONG);
    stream.send('time', '1');
    socket[way]();
    stream.send('rights', '2');
    await socket.readAll();
    expect(socket.written).toHaveLength(1);
  });
});
