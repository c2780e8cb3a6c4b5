import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { claimedIdOf, generationOf, memberKeysOf, proveMember } from '../core/membership/member-keys.ts';
import { keyGenerationOf } from '../core/membership/record-version.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { JOIN_SERVER_NAME } from '../wire/endpoints.ts';
import { KeyGrace } from './key-grace.ts';
import {
  acceptPeerConnection,
  PEER_ALPN,
  PEER_STREAM_ALPN,
  type PeerConnection,
  type PeerHello,
  type ProvenPeer,
} from './peer-connection.ts';
import type { Roster } from './ports.ts';
import { Strangers } from './strangers.ts';

export interface PeerAcceptorDeps {
  identity: { id: string; key: string; certificate: string };
  hello: PeerHello;
  roster: Pick<Roster, 'records'>;
  onConnection(connection: PeerConnection): void;
  /** A member opened a connection for one stream. */
  onStream(peerId: string, stream: Duplex): void;
  /** Somebody who wants to join, and has shown no key yet. */
  onNewcomer(socket: TLSSocket): void;
  clock: Clock;
  logger: Logger;
}

/** Far more than all members and a few newcomers need. */
const MAX_CONNECTIONS = 2_000;
/** Of other connections the Strangers take care. */
const CARRIED_HANDSHAKE_WITHIN_MS = 10_000;
/** One pair needs one connection, for moments two, with third members a few more. The oldest goes. */
const MAX_SOCKETS_PER_MEMBER = 8;

/**
 * The peer port: one TLS server for members and newcomers. Who asks for `join.headcut` is handed on as a newcomer; everybody else has to
 * show a member's key and is cut off as soon as the handshake told that it is nobody's.
 */
export class PeerAcceptor {
  readonly #deps: PeerAcceptorDeps;
  readonly #server: TlsServer;
  readonly #strangers: Strangers;
  /** They come from members, who may open so many and no more. */
  readonly #carried = new WeakSet<Duplex>();
  readonly #sockets = new Map<TLSSocket, ProvenPeer>();
  readonly #grace: KeyGrace<Duplex>;
  /** The own certificate that is shown. */
  #shown: string;
  readonly #otherVersions = new Set<string>();
  readonly #refused = new Set<string>();

  constructor(deps: PeerAcceptorDeps) {
    this.#deps = deps;
    this.#shown = deps.identity.certificate;
    this.#grace = KeyGrace.forStreams(deps.clock);
    this.#strangers = new Strangers(deps.clock);
    this.#server = createServer(
      {
        ...this.#context(),
        requestCert: true,
        // Keys are pinned, by proveMember, and say more than TLS understands: which one came after which.
        rejectUnauthorized: false,
        handshakeTimeout: CARRIED_HANDSHAKE_WITHIN_MS,
        // Newcomers name none.
        ALPNProtocols: [PEER_ALPN, PEER_STREAM_ALPN],
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: 10_000,
      },
      (socket) => this.#onSocket(socket),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('connection', (socket: Duplex) => {
      if (!this.#carried.has(socket)) this.#strangers.watch(socket);
    });
    this.#server.on('tlsClientError', (error) => deps.logger.debug({ err: error }, 'TLS handshake refused'));
  }

  /** @param port 0 takes any free one. @returns the port */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** A connection that another member carries: who is at its other end shows in the handshake, as for any other. */
  acceptCarried(stream: Duplex): void {
    this.#carried.add(stream);
    this.#server.emit('connection', stream);
  }

  /** The roster or the own key changed: who is no member any more is cut off at once, and what a replaced key opened after a while. */
  refresh(): void {
    const { identity, roster } = this.#deps;
    if (this.#shown !== identity.certificate) this.#server.setSecureContext(this.#context());
    this.#shown = identity.certificate;
    const members = new Map(roster.records().map((record) => [record.id, record]));
    const own = generationOf(memberKeysOf(identity.certificate));
    for (const [socket, { id, keyGenerations }] of this.#sockets) {
      const record = members.get(id);
      if (record === undefined) socket.destroy();
      else if (keyGenerations.own < own || keyGenerations.peer < keyGenerationOf(record)) this.#grace.endLater(socket);
    }
  }

  /** Lets nobody in any more. */
  stopListening(): void {
    this.#server.close();
  }

  close(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #context() {
    const { key, certificate } = this.#deps.identity;
    return { key, cert: certificate, minVersion: 'TLSv1.3' as const };
  }

  #onSocket(socket: TLSSocket): void {
    socket.on('error', () => socket.destroy());
    this.#strangers.onHandshake(socket);
    if (servernameOf(socket) === JOIN_SERVER_NAME) return void this.#deps.onNewcomer(socket);
    const proven = this.#prove(socket);
    if (proven === undefined) return void socket.destroy();
    const { id } = proven;
    const { alpnProtocol } = socket;
    if (alpnProtocol !== PEER_ALPN && alpnProtocol !== PEER_STREAM_ALPN) {
      // It comes again every few seconds.
      if (!this.#otherVersions.has(id))
        this.#deps.logger.warn({ id }, 'a member speaks another version of the protocol');
      this.#otherVersions.add(id);
      return void socket.destroy();
    }
    this.#strangers.onMember(socket);
    socket.setNoDelay(true);
    const others = [...this.#sockets].filter(([, owner]) => owner.id === id);
    if (others.length >= MAX_SOCKETS_PER_MEMBER) others[0]?.[0].destroy();
    this.#sockets.set(socket, proven);
    socket.on('close', () => this.#sockets.delete(socket));
    const { hello, clock, onConnection, onStream } = this.#deps;
    if (alpnProtocol === PEER_STREAM_ALPN) return void onStream(id, socket);
    acceptPeerConnection(socket, proven, { hello, sleep: (ms, signal) => clock.sleep(ms, signal) }, onConnection);
  }

  /** The member behind a connection; undefined when it is nobody's. */
  #prove(socket: TLSSocket): ProvenPeer | undefined {
    const shown = socket.getPeerX509Certificate();
    if (shown === undefined) return undefined;
    try {
      const id = claimedIdOf(shown);
      const record = this.#deps.roster.records().find((one) => one.id === id);
      if (record === undefined || id === this.#deps.identity.id) return undefined;
      const proof = proveMember(shown, record);
      if ('problem' in proof) return this.#onProblem(id, proof.problem);
      const own = socket.getX509Certificate();
      const generation = own === undefined ? 0 : generationOf(memberKeysOf(own));
      return { id, keyGenerations: { own: generation, peer: proof.keyGeneration } };
    } catch (error) {
      this.#deps.logger.debug({ err: error }, 'certificate of a stranger not understood');
      return undefined;
    }
  }

  /** Somebody claims to be a member: said once for each. */
  #onProblem(id: string, problem: string): undefined {
    if (!this.#refused.has(id)) this.#deps.logger.warn({ id, problem }, 'connection of a member refused');
    this.#refused.add(id);
  }
}

/** The name that the client asked for; the types of node do not know it on the server's side. */
function servernameOf(socket: TLSSocket): string | undefined {
  const { servername } = socket as { servername?: string | false };
  return servername === false ? undefined : servername;
}
