import type { Duplex } from 'node:stream';
import { createServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { clusterIdOfCertificate } from '../../core/membership/cluster-id.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import {
  acceptPeerConnection,
  PEER_ALPN,
  PEER_STREAM_ALPN,
  type PeerConnection,
  type PeerHello,
} from '../../wire/peer-connection.ts';
import type { Roster } from '../ports.ts';

export interface MembersDoorDeps {
  identity: { id: string; key: string; certificate: string };
  hello: PeerHello;
  roster: Pick<Roster, 'records'>;
  onConnection(connection: PeerConnection): void;
  /** Somebody proved to be a member. */
  onMember(socket: TLSSocket): void;
  /** A member opened a connection for one stream. */
  onStream(peerId: string, stream: Duplex): void;
  clock: Clock;
  logger: Logger;
}

const HANDSHAKE_WITHIN_MS = 10_000;
/** One pair needs one connection, for moments two, with third members a few more. The oldest goes. */
const MAX_SOCKETS_PER_MEMBER = 8;

/** Where members come in: keys that are not in the roster are refused in the TLS handshake. */
export class MembersDoor {
  readonly #deps: MembersDoorDeps;
  readonly #server: TlsServer;
  readonly #sockets = new Map<TLSSocket, string>();
  #stale = false;
  readonly #otherVersions = new Set<string>();

  constructor(deps: MembersDoorDeps) {
    this.#deps = deps;
    this.#server = createServer(
      {
        ...this.#context(),
        requestCert: true,
        rejectUnauthorized: true,
        handshakeTimeout: HANDSHAKE_WITHIN_MS,
        ALPNProtocols: [PEER_ALPN, PEER_STREAM_ALPN],
      },
      (socket) => this.#onSocket(socket),
    );
    this.#server.on('tlsClientError', (error) => deps.logger.debug({ err: error }, 'TLS handshake refused'));
  }

  /** A raw connection that wants in. */
  emit(_event: 'connection', socket: Duplex): boolean {
    if (this.#stale) this.#server.setSecureContext(this.#context());
    this.#stale = false;
    return this.#server.emit('connection', socket);
  }

  /** The roster changed: who is no member any more is cut off at once. */
  refresh(): void {
    // Reading all certificates costs more than a change of the roster is worth: the next one who comes needs them.
    this.#stale = true;
    const members = this.#memberIds();
    for (const [socket, id] of this.#sockets) if (!members.has(id)) socket.destroy();
  }

  close(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #context() {
    const { key, certificate, id } = this.#deps.identity;
    const others = this.#deps.roster.records().filter((record) => record.id !== id);
    return { key, cert: certificate, minVersion: 'TLSv1.3' as const, ca: others.map(toPem) };
  }

  #memberIds(): Set<string> {
    return new Set(this.#deps.roster.records().map((record) => record.id));
  }

  #onSocket(socket: TLSSocket): void {
    socket.on('error', () => socket.destroy());
    const certificate = socket.getPeerX509Certificate();
    const id = certificate === undefined ? undefined : clusterIdOfCertificate(certificate);
    if (id === undefined || !this.#memberIds().has(id)) return void socket.destroy();
    const { alpnProtocol } = socket;
    if (alpnProtocol !== PEER_ALPN && alpnProtocol !== PEER_STREAM_ALPN) {
      // It comes again every few seconds.
      if (!this.#otherVersions.has(id))
        this.#deps.logger.warn({ id }, 'a member speaks another version of the protocol');
      this.#otherVersions.add(id);
      return void socket.destroy();
    }
    this.#deps.onMember(socket);
    socket.setNoDelay(true);
    const others = [...this.#sockets].filter(([, owner]) => owner === id);
    if (others.length >= MAX_SOCKETS_PER_MEMBER) others[0]?.[0].destroy();
    this.#sockets.set(socket, id);
    socket.on('close', () => this.#sockets.delete(socket));
    const { hello, clock, onConnection, onStream } = this.#deps;
    if (alpnProtocol === PEER_STREAM_ALPN) return void onStream(id, socket);
    acceptPeerConnection(socket, id, { hello, sleep: (ms, signal) => clock.sleep(ms, signal) }, onConnection);
  }
}

function toPem(record: PeerRecord): string {
  const lines = record.certificate.match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
