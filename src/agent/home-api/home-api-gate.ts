import { createServer, type Server, type Socket } from 'node:net';
import { CodedError, messageOf } from '../../core/coded-error.ts';
import { FairShares, type ShareLimits } from '../../runtime/fair-shares.ts';
import type { Logger } from '../../runtime/logger.ts';
import { joinStreams } from '../../runtime/upgrade.ts';
import type { OffloadedPod, OffloadedPods, PeerLinks } from '../ports.ts';

export interface HomeApiGateDeps {
  pods: OffloadedPods;
  links: PeerLinks;
  logger: Logger;
}

/** Clients of the API use one connection, or a few; what is more is refused. */
const CONNECTION_SHARES: ShareLimits = { total: 1_000, perOwner: 32, perMember: 4, mostPerMember: 32 };
/** With those of whom it is not known yet who they are, which are few (agent/shadow-pod/offloaded-pod-index). */
const MAX_CONNECTIONS = 2_000;

/**
 * Where the offloaded pods on this cluster reach the API server of their home: their bytes go through the peer connection
 * untouched, so TLS and the token are between the pod and its home alone.
 */
export class HomeApiGate {
  readonly #deps: HomeApiGateDeps;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #shares = new FairShares(CONNECTION_SHARES);

  constructor(deps: HomeApiGateDeps) {
    this.#deps = deps;
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => void this.#serve(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @param port 0 takes any free one. @returns the port */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, resolve);
    });
    const address = this.#server.address();
    return address !== null && typeof address === 'object' ? address.port : port;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(socket: Socket): Promise<void> {
    const gone = new AbortController();
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      gone.abort();
    });
    try {
      const pod = await this.#deps.pods.find(socket.remoteAddress ?? '');
      if (pod === undefined) throw new CodedError('Forbidden', 'only pods of other members may connect here');
      await this.#connect(socket, pod, gone.signal);
    } catch (error) {
      this.#deps.logger.debug({ client: socket.remoteAddress, reason: messageOf(error) }, 'no way to the home API');
      socket.resetAndDestroy();
    }
  }

  async #connect(socket: Socket, pod: OffloadedPod, signal: AbortSignal): Promise<void> {
    const link = this.#deps.links.get(pod.cluster);
    if (link === undefined) throw new CodedError('NotFound', 'the home of this pod is no member any more');
    const giveBack = this.#shares.take(pod.cluster, pod.uid);
    if (giveBack === undefined)
      throw new CodedError('ResourceExhausted', 'too many connections of one pod or its home');
    socket.on('close', giveBack);
    if (socket.destroyed) giveBack();
    const stream = await link.stream('home-api', { uid: pod.uid }, signal);
    if (socket.destroyed) return void stream.destroy();
    const head = Buffer.alloc(0);
    joinStreams({ stream: socket, head }, { stream, head });
  }
}
