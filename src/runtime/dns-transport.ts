import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createFairConnections } from './fair-connections.ts';

/** How DNS messages travel: datagrams, and a length before each message on TCP (RFC 7766). What is in them is not looked at. */

export type DnsTransport = 'udp' | 'tcp';

/** Answers one message of a client; undefined for what deserves no answer. Must not throw. */
export type DnsHandler = (client: string, message: Buffer, transport: DnsTransport) => Promise<Buffer | undefined>;

export interface DnsListener {
  port: number;
  close(): Promise<void>;
}

/** A client of DNS has done its asking long before. */
const TCP_IDLE_MS = 10_000;
const TCP_CONNECTIONS = { total: 256, perOwner: 4, mostPerMember: 16 };
const LENGTH_BYTES = 2;

/** Serves both transports on one port. @param port 0 takes any free one */
export async function listenForDns(host: string, port: number, handle: DnsHandler): Promise<DnsListener> {
  const isCounted = createFairConnections(TCP_CONNECTIONS);
  const tcp = createServer((socket) => {
    if (isCounted(socket)) serveConnection(socket, handle);
  });
  await listening(tcp, () => tcp.listen(port, host));
  const address = tcp.address();
  const chosen = address !== null && typeof address === 'object' ? address.port : port;
  const udp = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  udp.on('message', (message, from) => {
    void handle(from.address, message, 'udp').then((answer) => {
      if (answer !== undefined) send(udp, answer, from);
    });
  });
  await listening(udp, () => udp.bind(chosen, host));
  return { port: chosen, close: () => closeAll(tcp, udp) };
}

function send(udp: UdpSocket, answer: Buffer, to: { address: string; port: number }): void {
  try {
    // An error is that of a client that went away.
    udp.send(answer, to.port, to.address, () => {});
  } catch {
    // The socket was closed while the answer was on its way.
  }
}

function listening(socket: Server | UdpSocket, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('listening', () => {
      socket.off('error', reject);
      // Errors of single packets and connections concern nobody else.
      socket.on('error', () => {});
      resolve();
    });
    start();
  });
}

async function closeAll(tcp: Server, udp: UdpSocket): Promise<void> {
  await Promise.all([
    new Promise<void>((resolve) => tcp.close(() => resolve())),
    new Promise<void>((resolve) => udp.close(() => resolve())),
  ]);
}

function serveConnection(socket: Socket, handle: DnsHandler): void {
  const client = socket.remoteAddress ?? '';
  let buffered: Buffer = Buffer.alloc(0);
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    for (;;) {
      const { message, rest } = takeFramed(buffered);
      if (message === undefined) return;
      buffered = rest;
      void handle(client, message, 'tcp').then((answer) => {
        if (answer !== undefined && socket.writable) socket.write(framed(answer));
      });
    }
  });
}

function takeFramed(buffered: Buffer): { message?: Buffer; rest: Buffer } {
  if (buffered.length < LENGTH_BYTES) return { rest: buffered };
  const end = LENGTH_BYTES + buffered.readUInt16BE(0);
  if (buffered.length < end) return { rest: buffered };
  return { message: buffered.subarray(LENGTH_BYTES, end), rest: buffered.subarray(end) };
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

export interface DnsServerAddress {
  host: string;
  port: number;
}

/**
 * Asks a server once, from a port of its own, so that nobody can guess where an answer is expected.
 * Rejects when `signal` aborts or the server cannot be reached.
 */
export function askDns(
  server: DnsServerAddress,
  query: Buffer,
  transport: DnsTransport,
  signal: AbortSignal,
): Promise<Buffer> {
  return transport === 'udp' ? askOverUdp(server, query, signal) : askOverTcp(server, query, signal);
}

function askOverUdp({ host, port }: DnsServerAddress, query: Buffer, signal: AbortSignal): Promise<Buffer> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const onAbort = (): void => reject(new Error('no answer in time'));
  signal.addEventListener('abort', onAbort, { once: true });
  socket.on('error', reject);
  socket.on('message', (answer) => {
    // Another ID: an answer to somebody else, or a guess.
    if (answer.length > LENGTH_BYTES && answer.readUInt16BE(0) === query.readUInt16BE(0)) resolve(answer);
  });
  socket.connect(port, host, () => socket.send(query, (error) => error !== null && reject(error)));
  return promise.finally(() => {
    signal.removeEventListener('abort', onAbort);
    socket.close();
  });
}

function askOverTcp({ host, port }: DnsServerAddress, query: Buffer, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal });
    let buffered: Buffer = Buffer.alloc(0);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the DNS server closed the connection')));
    socket.once('connect', () => socket.write(framed(query)));
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      const { message } = takeFramed(buffered);
      if (message === undefined) return;
      resolve(message);
      socket.destroy();
    });
  });
}
