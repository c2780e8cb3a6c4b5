import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CodedError, type ErrorCode, errorCodeOfHttpStatus } from '../core/coded-error.ts';
import { plainLine } from '../core/plain-text.ts';
import { PEER_SERVER_NAME } from '../wire/endpoints.ts';

export interface PeerRequest {
  method: string;
  /** With the query. */
  path: string;
  body?: unknown;
  headers?: Record<string, string | string[]>;
  signal: AbortSignal;
}

/** Answers of calls are small; a peer cannot fill our memory. */
const MAX_ANSWER_CHARS = 4 * 1024 * 1024;

/**
 * HTTP calls to one peer, each over a stream of its own that `open` gives: no call waits for another.
 * Errors are CodedError: what the peer said, or `Unavailable` when it could not be reached.
 */
export class PeerClient {
  readonly #name: () => string;
  readonly #open: (signal: AbortSignal) => Promise<Duplex>;

  constructor(name: () => string, open: (signal: AbortSignal) => Promise<Duplex>) {
    this.#name = name;
    this.#open = open;
  }

  /** A call with a JSON answer. */
  async call(request: PeerRequest): Promise<unknown> {
    const answer = await this.open(request);
    const text = await readText(answer);
    try {
      return text === '' ? {} : JSON.parse(text);
    } catch {
      throw new CodedError('Internal', `${this.#name()} answered something that is no JSON`);
    }
  }

  /** A call whose answer streams. */
  async open(request: PeerRequest): Promise<IncomingMessage> {
    const answer = await this.upgrade(request);
    if (answer.kind === 'upgraded') {
      answer.socket.destroy();
      throw new CodedError('Internal', `${this.#name()} upgraded a connection unasked`);
    }
    const { statusCode = 500 } = answer.message;
    if (statusCode < 300) return answer.message;
    throw toPeerError(statusCode, await readText(answer.message));
  }

  /** A call that asks for an upgrade; whatever comes is returned. */
  async upgrade(request: PeerRequest): Promise<PeerAnswer> {
    try {
      return await send(request, await this.#open(request.signal));
    } catch (error) {
      const reason = request.signal.aborted ? request.signal.reason : error;
      if (reason instanceof CodedError && reason.code === 'ResourceExhausted') throw reason;
      throw new CodedError('Unavailable', `cannot reach ${this.#name()}`, reason);
    }
  }
}

function send(request: PeerRequest, stream: Duplex): Promise<PeerAnswer> {
  const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
  return new Promise((resolve, reject) => {
    // A request is told of a stream's end only if that comes later.
    if (stream.destroyed) return reject(new Error('the connection was closed'));
    stream.once('close', () => reject(new Error('the connection was closed')));
    const outgoing = httpRequest({
      createConnection: () => stream,
      host: PEER_SERVER_NAME,
      method: request.method,
      path: request.path,
      signal: request.signal,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(body.length) }),
        ...request.headers,
      },
    });
    outgoing.on('response', (message) => resolve({ kind: 'answered', message }));
    outgoing.on('upgrade', (message, socket, head) => resolve({ kind: 'upgraded', message, socket, head }));
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

export type PeerAnswer =
  | { kind: 'answered'; message: IncomingMessage }
  | { kind: 'upgraded'; message: IncomingMessage; socket: Duplex; head: Buffer };

/** The text of an answer, bounded. */
export async function readText(message: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message) {
    length += chunk.length;
    if (length > MAX_ANSWER_CHARS) throw new CodedError('ResourceExhausted', 'the answer of the peer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'InvalidArgument',
  'Unauthenticated',
  'Forbidden',
  'NotFound',
  'Conflict',
  'FailedPrecondition',
  'ResourceExhausted',
  'Unavailable',
  'Internal',
]);

/** The error that a peer's answer carries. */
export function toPeerError(status: number, text: string): CodedError {
  try {
    const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
    if (typeof code === 'string' && CODES.has(code))
      return new CodedError(code as ErrorCode, plainLine(String(message)));
  } catch {
    // No JSON: the status says what there is to say.
  }
  return new CodedError(errorCodeOfHttpStatus(status), `the peer answered ${status}: ${plainLine(text, 200)}`);
}
