import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { PeerCertificate } from 'node:tls';
import { CodedError, type ErrorCode, errorCodeOfHttpStatus } from '../core/coded-error.ts';
import { clusterIdOfCertificate } from '../core/membership/cluster-id.ts';
import { parseEndpoint } from '../core/membership/endpoint.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import { PEER_SERVER_NAME } from './endpoints.ts';

/** Key and certificate (PEM) with which this member shows who it is. */
export interface ClientIdentity {
  key: string;
  certificate: string;
}

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
 * HTTPS to one peer, pinned to its key: nothing is sent before the peer showed the certificate whose fingerprint is its ID.
 * Errors are CodedError: what the peer said, or `Unavailable` when it could not be reached.
 */
export class PeerClient {
  readonly #record: () => PeerRecord;
  readonly #identity: ClientIdentity;
  #agent: { certificate: string; agent: Agent } | undefined;
  /** The endpoint that answered last. */
  #endpoint: string | undefined;

  constructor(identity: ClientIdentity, record: () => PeerRecord) {
    this.#identity = identity;
    this.#record = record;
  }

  /** All endpoints, the one that answered last first. */
  endpoints(): string[] {
    const { endpoints } = this.#record();
    const last = this.#endpoint;
    return last !== undefined && endpoints.includes(last)
      ? [last, ...endpoints.filter((one) => one !== last)]
      : endpoints;
  }

  /** A call with a JSON answer, over the endpoint that answered last. */
  async call(request: PeerRequest): Promise<unknown> {
    const answer = await this.open(request);
    const text = await readText(answer);
    try {
      return text === '' ? {} : JSON.parse(text);
    } catch {
      throw new CodedError('Internal', `${this.#record().name} answered something that is no JSON`);
    }
  }

  /** A call whose answer streams. @param endpoint another than the one that answered last */
  async open(request: PeerRequest, endpoint = this.endpoints()[0] ?? ''): Promise<IncomingMessage> {
    const answer = await this.#send(request, endpoint);
    if (answer.kind === 'upgraded') {
      answer.socket.destroy();
      throw new CodedError('Internal', `${this.#record().name} upgraded a connection unasked`);
    }
    this.#endpoint = endpoint;
    const { statusCode = 500 } = answer.message;
    if (statusCode < 300) return answer.message;
    throw toPeerError(statusCode, await readText(answer.message));
  }

  /** A call that asks for an upgrade; whatever comes is returned. */
  upgrade(request: PeerRequest): Promise<PeerAnswer> {
    return this.#send(request, this.endpoints()[0] ?? '');
  }

  close(): void {
    this.#agent?.agent.destroy();
    this.#agent = undefined;
  }

  async #send(request: PeerRequest, endpoint: string): Promise<PeerAnswer> {
    try {
      return await this.#sendOnce(request, endpoint);
    } catch (error) {
      // The peer closed an idle connection just as we used it again. All calls can be repeated.
      if (!(error instanceof StaleConnection) || request.signal.aborted) throw this.#unavailable(error, endpoint);
    }
    try {
      return await this.#sendOnce(request, endpoint);
    } catch (error) {
      throw this.#unavailable(error, endpoint);
    }
  }

  #sendOnce(request: PeerRequest, endpoint: string): Promise<PeerAnswer> {
    const { host, port } = parseEndpoint(endpoint);
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest({
        agent: this.#pinnedAgent(),
        host,
        port,
        servername: PEER_SERVER_NAME,
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
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        const stale = outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        reject(stale ? new StaleConnection() : error);
      });
      outgoing.end(body);
    });
  }

  #pinnedAgent(): Agent {
    const { id, certificate } = this.#record();
    if (this.#agent?.certificate === certificate) return this.#agent.agent;
    this.#agent?.agent.destroy();
    const agent = new Agent({
      keepAlive: true,
      keepAliveMsecs: 10_000,
      maxCachedSessions: 0,
      minVersion: 'TLSv1.3',
      key: this.#identity.key,
      cert: this.#identity.certificate,
      ca: [new X509Certificate(Buffer.from(certificate, 'base64')).toString()],
      checkServerIdentity: (_host: string, shown: PeerCertificate) =>
        clusterIdOfCertificate(shown.raw) === id ? undefined : new Error('it showed another key than the pinned one'),
    });
    this.#agent = { certificate, agent };
    return agent;
  }

  #unavailable(error: unknown, endpoint: string): CodedError {
    return new CodedError('Unavailable', `cannot reach ${this.#record().name} at ${endpoint}`, error);
  }
}

export type PeerAnswer =
  | { kind: 'answered'; message: IncomingMessage }
  | { kind: 'upgraded'; message: IncomingMessage; socket: import('node:stream').Duplex; head: Buffer };

class StaleConnection extends Error {
  constructor() {
    super('the peer closed the connection');
  }
}

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
      return new CodedError(code as ErrorCode, String(message).slice(0, 2000));
  } catch {
    // No JSON: the status says what there is to say.
  }
  return new CodedError(errorCodeOfHttpStatus(status), `the peer answered ${status}: ${text.slice(0, 200)}`);
}
