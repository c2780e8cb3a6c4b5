import type { Duplex } from 'node:stream';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { CallServer } from './call-server.ts';
import { JoinServer } from './join-server.ts';
import { PeerAcceptor } from './peer-acceptor.ts';
import type { PeerHello } from './peer-connection.ts';
import type { Peers } from './peers.ts';
import type { PeerServing, Roster } from './ports.ts';
import type { Serving } from './serving.ts';
import { SessionSenders } from './session-senders.ts';

export interface PeerServerDeps {
  identity: { id: string; key: string; certificate: string };
  /** What this agent says about itself on each connection. */
  hello: PeerHello;
  roster: Roster;
  /** Takes over the connections of members that come in. */
  peers: Pick<Peers, 'accept' | 'complaints'> & {
    reach: Pick<Peers['reach'], 'own' | 'onChange'>;
    relays: Pick<Peers['relays'], 'server'>;
  };
  serving: Serving;
  clock: Clock;
  logger: Logger;
}

/** What this member serves to others, and the port where they come in. All that serves is there before anything can come in. */
export class PeerServer implements PeerServing {
  readonly #deps: PeerServerDeps;
  readonly #acceptor: PeerAcceptor;
  readonly #calls: CallServer;
  readonly #newcomers: JoinServer;
  readonly #sessions: SessionSenders;

  constructor(deps: PeerServerDeps) {
    this.#deps = deps;
    const { serving, roster, peers, clock, logger, identity, hello } = deps;
    const { protocol, version } = hello;
    this.#sessions = new SessionSenders({
      source: serving.source,
      roster,
      reach: () => peers.reach.own(),
      hello: { type: 'hello', id: identity.id, protocol, version },
      clock,
    });
    this.#calls = new CallServer({
      serving: {
        ...serving,
        streams: {
          ...serving.streams,
          relay: peers.relays.server,
          relayed: ({ accept }) => this.#acceptor.acceptCarried(accept()),
        },
      },
      openSession: (peerId, out, asked) => this.#sessions.open(peerId, out, asked),
      complaints: peers.complaints,
      clock,
      logger,
    });
    this.#newcomers = new JoinServer(serving.join, { clock, logger });
    this.#acceptor = new PeerAcceptor({
      identity,
      hello,
      roster,
      onConnection: (connection) => peers.accept(connection),
      onStream: (peerId, stream) => this.serve(peerId, stream),
      onNewcomer: (socket) => this.#newcomers.serve(socket),
      clock,
      logger,
    });
    roster.onChange(() => {
      this.#acceptor.refresh();
      this.#sessions.note('all', 'roster');
    });
    peers.reach.onChange(() => this.#sessions.note('all', 'reach'));
    serving.source.onChange((peerId, change) => this.#sessions.note(peerId, change));
  }

  /** Bytes of requests' bodies that are held now. */
  get bodyBytes(): number {
    return this.#calls.bodyBytes;
  }

  /** A stream that a member opened on its connection: it carries one HTTP connection. */
  serve(peerId: string, stream: Duplex): void {
    this.#calls.serve(peerId, stream);
  }

  /** @param port 0 takes any free one. @returns the port */
  async listen(host: string, port: number): Promise<number> {
    await Promise.all([this.#calls.ready(), this.#newcomers.ready()]);
    return this.#acceptor.listen(host, port);
  }

  /** Tells peers that this agent will be back, and closes everything. */
  async close(): Promise<void> {
    this.#sessions.bye();
    this.#acceptor.stopListening();
    await this.#deps.clock.sleep(50);
    this.#acceptor.close();
    await Promise.all([this.#newcomers.close(), this.#calls.close()]);
  }
}
