import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { KubeConnection } from './connection.ts';

/** Calls to an API server by Node's own means alone: for processes that are to stay small. */

const WITHIN_MS = 5_000;
/** A page of a list is smaller; more than that is no answer that was asked for. */
const LARGEST_BYTES = 8 * 1024 * 1024;

export interface PlainCall {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** With its query. */
  path: string;
  body?: object;
}

export interface PlainAnswer {
  status: number;
  /** Parsed; empty where it is no JSON. */
  body: unknown;
}

/** One call; an answer of any status is one. @param connection that of a pod (in-cluster.ts) */
export async function callPlainly(connection: KubeConnection, call: PlainCall): Promise<PlainAnswer> {
  const response = await open(connection, call, AbortSignal.timeout(WITHIN_MS));
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LARGEST_BYTES) throw new Error(`the answer to ${call.path} is too long`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: parsed(Buffer.concat(chunks).toString('utf8')) };
}

/** An answer that goes on, such as that of a watch. Throws where its status is not 200. */
export async function streamPlainly(
  connection: KubeConnection,
  path: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const response = await open(connection, { method: 'GET', path }, signal);
  if (response.statusCode === 200) return response;
  response.destroy();
  throw new Error(`the API server answered ${response.statusCode} to ${path}`);
}

async function open(
  { server, ca, token, tokenFile }: KubeConnection,
  { method, path, body }: PlainCall,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const bearer = tokenFile === undefined ? (token ?? '') : (await readFile(tokenFile, 'utf8')).trim();
  const headers = {
    authorization: `Bearer ${bearer}`,
    accept: 'application/json',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  return new Promise((resolve, reject) => {
    // A connection of its own each time: a kept one would be checked against the CA of an earlier time.
    const call = request(`${server}${path}`, { method, ca, headers, signal, agent: false }, resolve);
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
