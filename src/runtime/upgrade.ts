import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex, Transform } from 'node:stream';

/** The mechanism of HTTP upgrades that pass through (exec, attach, port-forward): bytes are never looked at. */

/** Headers that belong to the upgrade itself; credentials and forwarding headers of one hop never reach the next. */
const UPGRADE_HEADERS = /^(upgrade|connection|x-stream-protocol-version|sec-websocket-[a-z-]+)$/i;

/** Protocols that kubectl and API servers speak on such connections. */
const ALLOWED_PROTOCOLS = new Set(['websocket', 'spdy/3.1']);

/** The headers of an upgrade request that may be passed on, as pairs; undefined when it asks for a protocol we do not carry. */
export function upgradeHeaders(rawHeaders: readonly string[]): [string, string][] | undefined {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = [rawHeaders[i], rawHeaders[i + 1]];
    if (UPGRADE_HEADERS.test(name)) pairs.push([name, value]);
  }
  const protocol = pairs.find(([name]) => name.toLowerCase() === 'upgrade')?.[1].toLowerCase();
  return protocol !== undefined && ALLOWED_PROTOCOLS.has(protocol) ? pairs : undefined;
}

/** Pairs as node's request options want them: repeated names become lists. */
export function toHeaderRecord(pairs: readonly [string, string][]): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = {};
  for (const [name, value] of pairs) {
    const before = record[name];
    record[name] = before === undefined ? value : [before, value].flat();
  }
  return record;
}

/** Writes the status line and headers of an answer on a raw connection. @param rawHeaders name, value, name, value … */
export function writeResponseHead(socket: Duplex, status: number, rawHeaders: readonly string[]): void {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  socket.write(`${text}\r\n`);
}

interface Side {
  stream: Duplex;
  /** Bytes that came with the request or answer head. */
  head: Buffer;
}

/**
 * Connects two raw connections until either ends; then both are closed. What one sent before its end still reaches the other:
 * only a connection that breaks takes the other one with it at once.
 * @param through what the bytes of each way pass on it
 */
export function joinStreams(a: Side, b: Side, through?: { forth: Transform; back: Transform }): void {
  for (const [from, to, middle] of [
    [a, b, through?.forth],
    [b, a, through?.back],
  ] as const) {
    tune(from.stream);
    if (from.head.length > 0) to.stream.write(from.head);
    passOn(middle === undefined ? from.stream : from.stream.pipe(middle), to.stream);
    middle?.on('error', () => to.stream.destroy());
    to.stream.on('close', () => middle?.destroy());
    from.stream.on('error', () => to.stream.destroy());
    from.stream.on('close', () => {
      if (!from.stream.readableEnded) return void to.stream.destroy();
      // One that ended in order: what it said last may still be on its way. What the other still says has no receiver: it is
      // read to its end, after all listeners of this event ran, since one of them ends the pipe back and so pauses it.
      (middle ?? to.stream).end();
      queueMicrotask(() => to.stream.resume());
    });
  }
}

/** So many turns of the event loop may bring what belongs together: the first goes on with what is read already, the next reads again. */
const GATHER_TURNS = 2;

/**
 * Pipes, and writes at once what arrives within a moment. SPDY writers send each frame of a few bytes in three pieces, each a TLS
 * record of its own; to pass them on one by one costs every process on the way three wake-ups instead of one.
 */
function passOn(from: Duplex, to: Duplex): void {
  let gathering = false;
  const wait = (turns: number): void => {
    setImmediate(() => {
      if (turns > 1) return wait(turns - 1);
      gathering = false;
      to.uncork();
    });
  };
  from.on('data', () => {
    if (gathering) return;
    gathering = true;
    to.cork();
    wait(GATHER_TURNS);
  });
  from.pipe(to);
}

function tune(stream: Duplex): void {
  const socket = stream as Partial<Socket>;
  socket.setNoDelay?.(true);
  socket.setTimeout?.(0);
  socket.setKeepAlive?.(true, 30_000);
}
