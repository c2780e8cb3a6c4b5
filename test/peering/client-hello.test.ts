import { createServer } from 'node:net';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { MAX_CLIENT_HELLO, parseServerName } from '../../src/peering/client-hello.ts';

/** The first bytes that node's TLS sends for a server name. */
function captureHello(servername: string | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.once('data', (bytes) => {
        socket.destroy();
        server.close();
        resolve(bytes);
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      const client = connect({ host: '127.0.0.1', port, ...(servername === undefined ? {} : { servername }) });
      client.on('error', () => {});
      server.on('error', reject);
    });
  });
}

let hello: Buffer;

beforeAll(async () => {
  hello = await captureHello('join.headcut');
});

describe('parseServerName', () => {
  it('finds the name that a real client asks for', () => {
    expect(parseServerName(hello)).toBe('join.headcut');
  });

  it('finds none where the client names none', async () => {
    expect(parseServerName(await captureHello(undefined))).toBeUndefined();
  });

  it('wants more bytes until the whole message is there', () => {
    for (let length = 0; length < hello.length; length += 1) {
      expect(parseServerName(hello.subarray(0, length))).toBe('incomplete');
    }
  });

  it('reads nothing from what is no TLS', () => {
    expect(parseServerName(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toBeUndefined();
    expect(parseServerName(Buffer.from([22, 3, 1, 0xff, 0xff, 1]))).toBeUndefined();
  });

  it('survives whatever bytes arrive', () => {
    const header = (length: number): Buffer => Buffer.from([22, 3, 1, length >> 8, length & 255]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        parseServerName(Buffer.from(bytes));
        parseServerName(Buffer.concat([header(bytes.length), Buffer.from([1]), bytes]));
      }),
    );
  });

  it('survives a real message with any one byte changed', () => {
    for (let at = 0; at < Math.min(hello.length, MAX_CLIENT_HELLO); at += 1) {
      const changed = Buffer.from(hello);
      changed[at] = 255 - (changed[at] ?? 0);
      const name = parseServerName(changed);
      expect(name === undefined || typeof name === 'string').toBe(true);
    }
  });
});
