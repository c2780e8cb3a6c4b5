import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CodedError, type ErrorCode, errorCodeOfHttpStatus } from '../core/coded-error.ts';
import { parseJson } from '../core/json-bounds.ts';
import { plainLine } from '../core/plain-text.ts';
import { readReply, toTarget } from '../wire/check.ts';
import type { ArgumentsOf, CallDefinition, ReplyOf } from '../wire/definition.ts';
import { PEER_SERVER_NAME } from '../wire/endpoints.ts';
import { ByteBudget } from './byte-budget.ts';

/** A request as it goes over the wire. */
export interface PeerRequest {
  method: string;
  /** With the query. */
  path: string;
  /** JSON. */
  body?: Buffer | undefined;
  headers?: Record<string, string | string[]>;
  signal: AbortSignal;
}

const SMALL_BODY = 256 * 1024;
/** node:http2 lets a session hold 10 MB (maxSessionMemory). */
const MAX_BODY = 8 * 1024 * 1024;
const BODIES = { perOwner: MAX_BODY, inAll: MAX_BODY, always: 0, waiting: 1_000 };
/** What is read of an answer that says why a call failed. */
const MAX_REFUSAL_BYTES = 64 * 1024;

/**
 * HTTP calls to one peer, each over a stream of its own that `open` gives: no call waits for another.
 * Errors are CodedError that name the peer: what it said, `Internal` for what is not as it should be, or `Unavailable` when it could
 * not be reached.
 */
export class PeerClient {
  readonly #name: () => string;
  readonly #open: (signal: AbortSignal) => Promise<Duplex>;
  readonly #bodies = new ByteBudget(BODIES);

  constructor(name: () => string, open: (signal: AbortSignal) => Promise<Duplex>) {
    this.#name = name;
    this.#open = open;
  }

  /** A call with a JSON reply, which is checked. */
  async call<D extends CallDefinition>(definition: D, asked: ArgumentsOf<D>, signal: AbortSignal): Promise<ReplyOf<D>> {
    const { method, replyBytes = MAX_REFUSAL_BYTES } = definition;
    const { body } = asked as { body?: unknown };
    const text = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const sent = await this.#takeTurn(text?.length ?? 0, signal);
    try {
      const answer = await this.request({ method, path: toTarget(definition, asked), body: text, signal });
      return readReply(definition, await this.readText(answer, replyBytes, signal), this.#name());
    } finally {
      sent();
    }
  }

  /** Large bodies go one after the other: more would fill what node keeps for a connection, which then takes no stream any more. */
  async #takeTurn(bytes: number, signal: AbortSignal): Promise<() => void> {
    if (bytes <= SMALL_BODY) return () => {};
    return this.#bodies.take('', bytes, signal).catch((reason: unknown) => {
      if (reason instanceof CodedError && reason.code === 'ResourceExhausted') throw reason;
      throw new CodedError('Unavailable', `cannot reach ${this.#name()}`, reason);
    });
  }

  /** A call whose reply streams. */
  open<D extends CallDefinition>(definition: D, asked: ArgumentsOf<D>, signal: AbortSignal): Promise<IncomingMessage> {
    return this.request({ method: definition.method, path: toTarget(definition, asked), signal });
  }

  /** The answer to any request that succeeded. */
  async request(request: PeerRequest): Promise<IncomingMessage> {
    const answer = await this.upgrade(request);
    if (answer.kind === 'upgraded') {
      answer.socket.destroy();
      throw new CodedError('Internal', `${this.#name()} upgraded a connection unasked`);
    }
    const { statusCode = 500 } = answer.message;
    if (statusCode >= 200 && statusCode < 300) return answer.message;
    throw await this.refusalOf(answer.message, request.signal);
  }

  /** A request that asks for an upgrade; whatever comes is returned. */
  async upgrade(request: PeerRequest): Promise<PeerAnswer> {
    try {
      return await send(request, await this.#open(request.signal));
    } catch (error) {
      const reason = request.signal.aborted ? request.signal.reason : error;
      if (reason instanceof CodedError && reason.code === 'ResourceExhausted') throw reason;
      throw new CodedError('Unavailable', `cannot reach ${this.#name()}`, reason);
    }
  }

  /** The error that an answer carries. */
  async refusalOf(message: IncomingMessage, signal: AbortSignal): Promise<CodedError> {
    const text = await this.readText(message, MAX_REFUSAL_BYTES, signal);
    return toPeerError(message.statusCode ?? 500, text, this.#name());
  }

  /** The text of an answer, of so many bytes at most. */
  async readText(message: IncomingMessage, maxBytes: number, signal: AbortSignal): Promise<string> {
    try {
      return await readText(message, maxBytes);
    } catch (error) {
      message.destroy();
      if (error instanceof RangeError)
        throw new CodedError('ResourceExhausted', `${this.#name()} answered more than the ${maxBytes} bytes that fit`);
      const reason = signal.aborted ? signal.reason : error;
      throw new CodedError('Unavailable', `the answer of ${this.#name()} broke off`, reason);
    }
  }
}

function send(request: PeerRequest, stream: Duplex): Promise<PeerAnswer> {
  const { body } = request;
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

/** The text of an answer. Throws RangeError when it has more bytes than that. */
export async function readText(message: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message) {
    length += chunk.length;
    if (length > maxBytes) throw new RangeError('the answer is too large');
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

/** The error that a peer's answer carries. @param from a name for who answered */
export function toPeerError(status: number, text: string, from: string): CodedError {
  try {
    const { code, message } = parseJson(text) as { code?: unknown; message?: unknown };
    if (typeof code === 'string' && CODES.has(code) && typeof message === 'string')
      return new CodedError(code as ErrorCode, plainLine(message));
  } catch {
    // No JSON: the status says what there is to say.
  }
  return new CodedError(errorCodeOfHttpStatus(status), `${from} answered ${status}: ${plainLine(text, 200)}`);
}
