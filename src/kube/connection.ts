import { readFile } from 'node:fs/promises';
import { Agent, type Dispatcher } from 'undici';
import type { Clock } from '../runtime/clock.ts';

/** How to reach an API server and as whom. Files are read again when they may have changed. */
export interface KubeConnection {
  /** https://host:port, without a path. */
  server: string;
  /** PEM. May be another one later (in-cluster.ts): to be read when it is used. */
  ca?: string | undefined;
  /** PEM client certificate and key. */
  cert?: string | undefined;
  key?: string | undefined;
  token?: string | undefined;
  /** A bound ServiceAccount token on disk; wins over `token`. */
  tokenFile?: string | undefined;
  skipTlsVerify?: boolean | undefined;
  /** Name to check the server's certificate against, where it is not the host of `server`. */
  tlsServerName?: string | undefined;
  /** How many connections calls may use at once; each costs both sides a handshake. */
  maxConnections?: number | undefined;
}

const DEFAULT_MAX_CONNECTIONS = 8;

/** client-go reads token files again after a minute; kubelets renew them long before they end. */
const TOKEN_MAX_AGE_MS = 60_000;

/**
 * One pool for calls and one for watches (long streams must not use up the calls' connections). Streams share connections by HTTP/2, as
 * many as the API server allows on one (100): a watch is 25 kB here instead of the 140 kB of a TLS connection of its own, and there
 * may be one for each ConfigMap. A server without HTTP/2 is asked by HTTP/1.
 * The time to the first byte of an answer is bounded for both; a watch's silence is bounded by its own timeoutSeconds.
 */
export function createDispatchers(connection: KubeConnection): { calls: Agent; streams: Agent } {
  const connect = {
    ...(connection.ca === undefined ? {} : { ca: connection.ca }),
    ...(connection.cert === undefined ? {} : { cert: connection.cert }),
    ...(connection.key === undefined ? {} : { key: connection.key }),
    ...(connection.tlsServerName === undefined ? {} : { servername: connection.tlsServerName }),
    rejectUnauthorized: connection.skipTlsVerify !== true,
    timeout: 5_000,
  };
  const connections = connection.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
  const calls = new Agent({ connect, allowH2: false, connections, headersTimeout: 30_000, bodyTimeout: 30_000 });
  const streams = new Agent({ connect, allowH2: true, headersTimeout: 30_000, bodyTimeout: 0 });
  return { calls, streams };
}

/** Gives the value of the Authorization header, or undefined where a client certificate speaks. */
export function createAuthorization(connection: KubeConnection, clock: Clock): () => Promise<string | undefined> {
  const { tokenFile } = connection;
  if (tokenFile === undefined) {
    const fixed = connection.token === undefined ? undefined : `Bearer ${connection.token}`;
    return () => Promise.resolve(fixed);
  }
  let cached: { header: string; readAt: number } | undefined;
  return async () => {
    if (cached === undefined || clock.monotonic() - cached.readAt > TOKEN_MAX_AGE_MS) {
      cached = { header: `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`, readAt: clock.monotonic() };
    }
    return cached.header;
  };
}

export type { Dispatcher };
