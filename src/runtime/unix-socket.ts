import { once } from 'node:events';
import { chmodSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

/** A socket in a folder of the node, by which a process is found by those beside it. */
export interface UnixSocket {
  /** Whether who connects comes here: another process may have taken over. */
  isFound(): boolean;
  /** Also all connections. */
  close(): void;
}

export interface UnixSocketOptions {
  serve(connection: Socket): void;
  /** Of the socket: who may connect. */
  mode: number;
  logger: Logger;
}

/** Serves there, also where another process did. @param path of the socket, in a folder that is there */
export async function serveUnixSocket(path: string, { serve, mode, logger }: UnixSocketOptions): Promise<UnixSocket> {
  rmSync(path, { force: true });
  const connections = new Set<Socket>();
  const server = createServer((connection) => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
    connection.on('error', () => connection.destroy());
    serve(connection);
  });
  server.listen(path);
  const inodeNow = (): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino;
  // It is there at once, and a moment later it might be another's.
  const inode = inodeNow();
  await once(server, 'listening');
  server.on('error', (err) => logger.warn({ err }, 'a connection from beside us was not taken'));
  chmodSync(path, mode);
  const close = (): void => {
    server.close();
    for (const connection of connections) connection.destroy();
  };
  return { isFound: () => inodeNow() === inode, close };
}

const LOOK_EVERY_MS = 100;
/** Of a connect that fails when nobody listens there: no such socket, or one that a killed process left behind. */
const NOBODY = ['ENOENT', 'ECONNREFUSED'];

/** Resolves when nobody serves at `path` (any more), or `signal` aborts: for who is to take over. */
export async function untilNobodyServes(path: string, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await isServed(path, signal))) await clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
}

/** Whether somebody serves there; where somebody takes the connection that is told when it is closed, at the latest by their end. */
function isServed(path: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    let failure: NodeJS.ErrnoException | undefined;
    const socket = connect({ path, signal });
    socket.on('error', (error) => {
      failure = error;
    });
    socket.once('close', () => resolve(!NOBODY.includes(failure?.code ?? '')));
    // To see the end.
    socket.resume();
  });
}
