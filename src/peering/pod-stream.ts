import type { Duplex } from 'node:stream';

/** Asks for exec, attach or port-forward. */
export interface UpgradeRequest {
  method: string;
  action: 'exec' | 'attach' | 'portforward';
  container: string | undefined;
  /** In the API server's names: command, stdin, stdout, stderr, tty, ports. */
  query: URLSearchParams;
  /** Upgrade, Connection, X-Stream-Protocol-Version, Sec-WebSocket-*: raw pairs as node gives them (name, value, name, value …). */
  rawHeaders: string[];
}

/** What came of it. */
export type UpgradeResponse =
  | { upgraded: true; status: number; rawHeaders: string[]; socket: Duplex; head: Buffer }
  | { upgraded: false; status: number; body: string; contentType: string };
