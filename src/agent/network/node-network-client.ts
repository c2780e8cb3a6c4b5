import { connect, type Socket } from 'node:net';
import { CodedError } from '../../core/coded-error.ts';
import type { NodeNetworkAnswer, NodeNetworkRequest, TunnelReport } from '../../core/network/node-network.ts';
import type { Clock } from '../../runtime/clock.ts';
import { readLines } from '../../runtime/lines.ts';

/** An answer takes a few commands of a few milliseconds; a loaded machine gets some more. */
const ANSWER_WITHIN_MS = 20_000;

/** Asks the process beside us, which may change the node's network. */
export class NodeNetworkClient {
  readonly #path: string;
  readonly #clock: Clock;
  #connection: { socket: Socket; lines: AsyncGenerator<string> } | undefined;
  /** Grows with each connection: another one may mean another process, which knows nothing yet. */
  #generation = 0;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Throws Unavailable when nobody answers, Internal with what went wrong there. */
  ask(request: NodeNetworkRequest): Promise<TunnelReport | undefined> {
    const asked = this.#busy.then(() => this.#ask(request));
    this.#busy = asked.catch(() => {});
    return asked;
  }

  close(): void {
    this.#connection?.socket.destroy();
    this.#connection = undefined;
  }

  async #ask(request: NodeNetworkRequest): Promise<TunnelReport | undefined> {
    try {
      const { socket, lines } = await this.#connect();
      socket.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await this.#inTime(lines.next(), socket);
      if (done === true) throw new Error('the connection was closed');
      const answer = JSON.parse(value) as NodeNetworkAnswer;
      if (answer.ok) return answer.report;
      throw new CodedError('Internal', `the network part of the agent failed: ${answer.message}`);
    } catch (error) {
      if (error instanceof CodedError) throw error;
      this.close();
      throw new CodedError('Unavailable', 'the network part of the agent does not answer', error);
    }
  }

  async #inTime<T>(answer: Promise<T>, socket: Socket): Promise<T> {
    const answered = new AbortController();
    this.#clock.sleep(ANSWER_WITHIN_MS, answered.signal).then(
      () => socket.destroy(),
      () => {},
    );
    return answer.finally(() => answered.abort());
  }

  async #connect() {
    if (this.#connection !== undefined && !this.#connection.socket.destroyed) return this.#connection;
    const socket = connect(this.#path);
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
