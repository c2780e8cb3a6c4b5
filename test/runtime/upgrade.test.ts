import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { joinStreams } from '../../src/runtime/upgrade.ts';

const opened: (Server | Socket)[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) 'destroy' in one ? one.destroy() : one.close();
});

/** Both ends of a TCP connection. */
async function connection(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const [near] = (await once(server, 'connection')) as [Socket];
  opened.push(server, far, near);
  return [near, far];
}

/** Remembers what was written to it at once. */
class RecordedStream extends Duplex {
  readonly written: string[] = [];
  override _read(): void {}
  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.written.push(chunks.map(({ chunk }) => String(chunk)).join(''));
    done();
  }
}

async function joined() {
  const [nearA, farA] = await connection();
  const [nearB, farB] = await connection();
  const head = Buffer.alloc(0);
  joinStreams({ stream: nearA, head }, { stream: nearB, head });
  return { farA, farB, nearA, nearB };
}

test('what was sent before the end arrives whole at a receiver that is slow', async () => {
  const { farA, farB, nearA, nearB } = await joined();
  const bytes = 8 * 1024 * 1024;
  farA.end(Buffer.alloc(bytes, 'x'));
  farA.resume();
  // The sender is done and gone long before the receiver has read anything.
  await systemClock.sleep(100);
  let received = 0;
  farB.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  await once(farB, 'end');
  expect(received).toBe(bytes);
  farB.end();
  await systemClock.sleep(50);
  expect([nearA.destroyed, nearB.destroyed]).toEqual([true, true]);
});

test('what arrives in pieces within a moment goes on in one', async () => {
  const [a, b] = [new RecordedStream(), new RecordedStream()];
  joinStreams({ stream: a, head: Buffer.alloc(0) }, { stream: b, head: Buffer.alloc(0) });
  for (const piece of ['one ', 'two ', 'three']) {
    a.push(piece);
    await new Promise((resolve) => process.nextTick(resolve));
  }
  a.push(null);
  await once(b, 'finish');
  expect(b.written).toEqual(['one two three']);
});

test('a connection that breaks takes the other one with it', async () => {
  const { farA, farB } = await joined();
  const ended = once(farB.resume(), 'close');
  farA.resetAndDestroy();
  farB.on('error', () => {});
  await Promise.race([ended, once(farB, 'end')]);
});

test('the end of one direction leaves the other open', async () => {
  const { farA, farB } = await joined();
  farA.end('question');
  const [question] = (await once(farB, 'data')) as [Buffer];
  await once(farB, 'end');
  farB.end('answer');
  const [answer] = (await once(farA, 'data')) as [Buffer];
  expect([String(question), String(answer)]).toEqual(['question', 'answer']);
});
