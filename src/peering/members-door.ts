import type { Duplex } from 'node:stream';
import { createServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { claimedIdOf, generationOf, memberKeysOf, proveMember } from '../core/membership/member-keys.ts';
import { keyGenerationOf } from '../core/membership/record-version.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
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

/** Where members come in: whoever shows a key that is none of theirs is cut off as soon as the handshake told which it is. */
export class MembersDoor {
  readonly #deps: MembersDoorDeps;
  readonly #server: TlsServer;
  readonly #sockets = new Map<TLSSocket, ProvenPeer>();
  readonly #grace: KeyGrace<Duplex>;
  /** The own certificate that is shown. */
  #shown: string;
  readonly #otherVersions = new Set<string>();
  readonly #refused = new Set<string>();

  constructor(deps: MembersDoorDeps) {
    this.#deps = deps;
    this.#shown = deps.identity.certificate;
    this.#grace = KeyGrace.forStreams(deps.clock);
    this.#server = createServer(
      {
        ...this.#context(),
        requestCert: true,
        // Keys are pinned, by proveMember, and say more than TLS understands: which one came after which.
        rejectUnauthorized: false,
        handshakeTimeout: HANDSHAKE_WITHIN_MS,
        ALPNProtocols: [PEER_ALPN, PEER_STREAM_ALPN],
      },
      (socket) => this.#onSocket(socket),
    );
    this.#server.on('tlsClientError', (error) => deps.logger.debug({ err: error }, 'TLS handshake refused'));
  }

  /** A raw connection that wants in. */
  emit(_event: 'connection', socket: Duplex): boolean {
    return this.#server.emit('connection', socket);
  }

  /**
   * The roster changed: who is no member any more is cut off at once, and what a replaced key opened after a while.
   * @returns whether the own key is another one
   */
  refresh(): boolean {
    const { identity, roster } = this.#deps;
    const isOther = this.#shown !== identity.certificate;
    if (isOther) this.#server.setSecureContext(this.#context());
    this.#shown = identity.certificate;
    const members = new Map(roster.records().map((record) => [record.id, record]));
    const own = generationOf(memberKeysOf(identity.certificate));
    for (const [socket, { id, keyGenerations }] of this.#sockets) {
      const record = members.get(id);
      if (record === undefined) socket.destroy();
      else if (keyGenerations.own < own || keyGenerations.peer < keyGenerationOf(record)) this.#grace.endLater(socket);
    }
    return isOther;
  }

  close(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #context() {
    const { key, certificate } = this.#deps.identity;
    return { key, cert: certificate, minVersion: 'TLSv1.3' as const };
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

  #onSocket(socket: TLSSocket): void {
    socket.on('error', () => socket.destroy());
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
    this.#deps.onMember(socket);
    socket.setNoDelay(true);
    const others = [...this.#sockets].filter(([, owner]) => owner.id === id);
    if (others.length >= MAX_SOCKETS_PER_MEMBER) others[0]?.[0].destroy();
    this.#sockets.set(socket, proven);
    socket.on('close', () => this.#sockets.delete(socket));
    const { hello, clock, onConnection, onStream } = this.#deps;
    if (alpnProtocol === PEER_STREAM_ALPN) return void onStream(id, socket);
    acceptPeerConnection(socket, proven, { hello, sleep: (ms, signal) => clock.sleep(ms, signal) }, onConnection);
  }
}
