import { connect, type TLSSocket } from 'node:tls';
import { CodedError } from '../core/coded-error.ts';
import { parseEndpoint } from '../core/membership/endpoint.ts';
import { generationOf, type MemberKeys, memberKeysOf } from '../core/membership/member-keys.ts';
import { JOIN, JOIN_SERVER_NAME } from '../wire/endpoints.ts';
import { PeerClient } from './peer-client.ts';
import type { JoinReply, JoinRequest } from './serving.ts';

/**
 * Asks the member behind `endpoint` for admission. Nothing is sent to anybody who does not hold the key of the token, or a later one:
 * `Unavailable` when nobody answers there, or somebody else does; `Internal` when its answer is none.
 */
export async function requestJoin(
  endpoint: string,
  inviter: { id: string; replacedKeys?: number },
  request: JoinRequest,
  signal: AbortSignal,
): Promise<JoinReply> {
  const socket = await connectTo(endpoint, signal);
  try {
    const keys = shownKeys(socket);
    if (keys?.id !== inviter.id)
      throw new CodedError('Unavailable', 'who answers there does not hold the key of the token');
    if (generationOf(keys) < (inviter.replacedKeys ?? 0))
      throw new CodedError('Unavailable', 'who answers there holds a key that the inviting cluster has replaced');
    const client = new PeerClient(
      () => `the cluster at ${endpoint}`,
      async () => socket,
    );
    return await client.call(JOIN, { body: request }, signal);
  } finally {
    socket.destroy();
  }
}

function shownKeys(socket: TLSSocket): MemberKeys | undefined {
  const shown = socket.getPeerX509Certificate();
  try {
    return shown === undefined ? undefined : memberKeysOf(shown);
  } catch {
    return undefined;
  }
}

function connectTo(endpoint: string, signal: AbortSignal): Promise<TLSSocket> {
  const { host, port } = parseEndpoint(endpoint);
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(new CodedError('Unavailable', 'nobody can be reached there', cause));
    if (signal.aborted) return fail(signal.reason);
    // Self-signed by design; the fingerprint is compared before anything is sent.
    const socket = connect({
      host,
      port,
      servername: JOIN_SERVER_NAME,
      minVersion: 'TLSv1.3',
      rejectUnauthorized: false,
    });
    const onAbort = (): void => void socket.destroy(new Error('no answer in time'));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the connection was closed')));
    socket.once('secureConnect', () => resolve(socket));
    socket.once('close', () => signal.removeEventListener('abort', onAbort));
  });
}
