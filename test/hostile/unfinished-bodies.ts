import { connect, type TLSSocket } from 'node:tls';
import { PEER_STREAM_ALPN } from '../../src/peering/peer-connection.ts';
import type { Identity } from './hostile-member.ts';

const BODY_BYTES = 8_000_000;
const CHUNK = Buffer.alloc(65_536, 0x20);

/** Submissions of which nearly all is sent, and no end; each on a connection of its own. */
export function unfinishedBodies({ key, certificate: cert }: Identity, endpoint: string, count: number): TLSSocket[] {
  const at = endpoint.lastIndexOf(':');
  const host = { host: endpoint.slice(0, at), port: Number(endpoint.slice(at + 1)), servername: 'peer.headcut' };
  return Array.from({ length: count }, (_, i) => {
    const socket = connect({ ...host, ALPNProtocols: [PEER_STREAM_ALPN], key, cert, rejectUnauthorized: false });
    socket.on('error', () => {});
    const head = ['PUT /v1/pods/u HTTP/1.1', 'host: peer', 'content-type: application/json'];
    socket.write(`${head.join('\r\n').replace('/u ', `/u${i} `)}\r\ncontent-length: ${BODY_BYTES}\r\n\r\n`);
    pump(socket, BODY_BYTES - CHUNK.length);
    return socket;
  });
}

function pump(socket: TLSSocket, bytes: number): void {
  for (let left = bytes; left > 0; left -= CHUNK.length) {
    if (!socket.write(CHUNK)) return void socket.once('drain', () => pump(socket, left - CHUNK.length));
  }
}
