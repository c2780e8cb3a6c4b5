import { once } from 'node:events';
import { chmodSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { CodedError } from '../core/coded-error.ts';
import type { Clock } from './clock.ts';
import { readLines } from './lines.ts';
import type { Logger } from './logger.ts';
import { oneAtATime } from './one-at-a-time.ts';

/** Requests to a process beside us over a Unix socket: a line each, and a line in answer, one after the other. */

const MAX_LINE_CHARS = 1024 * 1024;

export interface LineRequestsOptions {
  /** Of the socket. */
  path: string;
  answerWithinMs: number;
  /** Said when nobody answers. */
  unavailable: string;
  clock: Clock;
}

/** The side that asks. */
export class LineRequests {
  readonly #options: LineRequestsOptions;
  #connection: { socket: Socket; lines: AsyncGenerator<string> } | undefined;
  #generation = 0;
  readonly #oneByOne = oneAtATime();

  constructor(options: LineRequestsOptions) {
    this.#options = options;
  }

  /** Grows with each connection: another one may mean another process, which knows nothing yet. */
  get generation(): number {
    return this.#generation;
  }

  /** Gives the answer, without its line end. Throws Unavailable. */
  ask(line: string): Promise<string> {
    return this.#oneByOne(() => this.#ask(line));
  }

  close(): void {
    this.#connection?.socket.destroy();
    this.#connection = undefined;
  }

  async #ask(line: string): Promise<string> {
    try {
      const { socket, lines } = await this.#connect();
      socket.write(`${line}\n`);
      const { value, done } = await this.#inTime(lines.next(), socket);
      if (done === true) throw new Error('the connection was closed');
      return value;
    } catch (error) {
      this.close();
      throw new CodedError('Unavailable', this.#options.unavailable, error);
    }
  }

  async #inTime<T>(answer: Promise<T>, socket: Socket): Promise<T> {
    const { clock, answerWithinMs } = this.#options;
    const answered = new AbortController();
    clock.sleep(answerWithinMs, answered.signal).then(
      () => socket.destroy(),
      () => {},
    );
    return answer.finally(() => answered.abort());
  }

  async #connect() {
    if (this.#connection !== undefined && !this.#connection.socket.destroyed) return this.#connection;
    const socket = connect(this.#options.path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    // Its loss shows at the next read or write.
    socket.on('error', () => socket.destroy());
    socket.unref();
    this.#generation += 1;
    this.#connection = { socket, lines: readLines(socket) };
    return this.#connection;
  }
}

export interface LineAnswers {
  /** Never throws. */
  answer(line: string): Promise<string>;
  /** Of the socket: who may connect. */
  mode: number;
  logger: Logger;
}

export interface LineServer {
  /** Whether who connects comes here: another process may have taken over. */
  isFound(): boolean;
  /** Also all connections. */
  close(): void;
}

/** Serves such requests, also where another process did. @param path of the socket, in a folder that is there */
export async function serveLineRequests(path: string, { answer, mode, logger }: LineAnswers): Promise<LineServer> {
  rmSync(path, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    void serve(socket, answer, logger);
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
    for (const socket of sockets) socket.destroy();
  };
  return { isFound: () => inodeNow() === inode, close };
}

const LOOK_EVERY_MS = 100;
/** Of a connect that fails when nobody listens there: no such socket, or one that a killed process left behind. */
const NOBODY = ['ENOENT', 'ECONNREFUSED'];

/** Resolves when nobody serves such requests at `path` (any more), or `signal` aborts: for who is to take over. */
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

async function serve(socket: Socket, answer: LineAnswers['answer'], logger: Logger): Promise<void> {
  socket.on('error', () => socket.destroy());
  try {
    for await (const line of readLines(socket, MAX_LINE_CHARS)) {
      const text = await answer(line);
      if (!socket.destroyed) socket.write(`${text}\n`);
    }
  } catch (err) {
    logger.warn({ err }, 'a connection from beside us broke');
  } finally {
    socket.destroy();
  }
}
