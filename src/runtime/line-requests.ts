import { connect, type Socket } from 'node:net';
import { CodedError } from '../core/coded-error.ts';
import type { Clock } from './clock.ts';
import { readLines } from './lines.ts';
import type { Logger } from './logger.ts';
import { oneAtATime } from './one-at-a-time.ts';

/**
 * Requests to a process beside us over a Unix socket: a line each, and a line in answer, one after the other. As agents and guards of 0.1.0
 * speak to each other; what is new speaks HTTP (local-http).
 */

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
  readonly #oneByOne = oneAtATime();

  constructor(options: LineRequestsOptions) {
    this.#options = options;
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
    this.#connection = { socket, lines: readLines(socket) };
    return this.#connection;
  }
}

/** The side that answers, on one connection. @param answer never throws */
export async function serveLines(
  socket: Socket,
  answer: (line: string) => Promise<string>,
  logger: Logger,
): Promise<void> {
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
