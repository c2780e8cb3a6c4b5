import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Duplex, pipeline } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { CodedError, httpStatusOf, messageOf } from '../../core/coded-error.ts';
import type { Pod } from '../../core/kube-objects.ts';
import { type KubeletRequest, parseKubeletRequest } from '../../core/kubelet-api/kubelet-request.ts';
import type { Store } from '../../kube/store.ts';
import { type FairConnections, shareConnections } from '../../runtime/fair-connections.ts';
import type { Logger } from '../../runtime/logger.ts';
import { joinStreams, writeResponseHead } from '../../runtime/upgrade.ts';
import type { PeerLink } from '../ports.ts';
import type { CallerCheck } from './authentication.ts';
import type { VirtualNodeStats } from './node-stats.ts';

export interface KubeletServerDeps {
  node: string;
  /** The address to listen on. */
  host: string;
  /** PEM of the CA that signs the API server's client certificate. May be another one later. */
  clientCa(): string;
  callers: Pick<CallerCheck, 'check'>;
  pods: Pick<Store<Pod>, 'get' | 'list'>;
  stats: Pick<VirtualNodeStats, 'summary' | 'resourceMetrics'>;
  /** Counts the connections of all virtual nodes. */
  connections: FairConnections;
  /** The peer behind this node. */
  link(): PeerLink | undefined;
  logger: Logger;
}

/**
 * For the ports of all virtual nodes together. Each exec and each log that is followed is a connection, and all of them come from the API
 * server: 512 at most. A flood of strangers is memory of all, and pods share what it leaves.
 */
export const KUBELET_CONNECTIONS = { total: 2_048, perOwner: 8, mostPerMember: 512 };
const HANDSHAKE_WITHIN_MS = 10_000;

/** The kubelet API of one virtual node: logs, exec, attach, port-forward and statistics of its pods, passed on to the provider. */
export class KubeletServer {
  readonly #deps: KubeletServerDeps;
  readonly #server: Server;
  readonly #streams = new Set<Duplex>();
  #ca: string;
  #pair: { key: string; certificate: string } | undefined;

  constructor(deps: KubeletServerDeps) {
    this.#deps = deps;
    this.#ca = deps.clientCa();
    this.#server = createServer(
      {
        requestCert: true,
        rejectUnauthorized: false,
        ca: this.#ca,
        minVersion: 'TLSv1.2',
        handshakeTimeout: HANDSHAKE_WITHIN_MS,
      },
      (request, response) => void this.#onRequest(request, response),
    );
    shareConnections(this.#server, deps.connections);
    this.#server.on(
      'upgrade',
      (request: IncomingMessage, socket: Duplex, head: Buffer) => void this.#onUpgrade(request, socket, head),
    );
    // Of a new CA the next connection knows.
    this.#server.on('connection', () => this.#trust(deps.clientCa()));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Listens on the preferred port, or the next free one above it. Until `setCertificate` handshakes fail. */
  async listen(preferred: number): Promise<number> {
    for (let port = preferred; ; port += 1) {
      try {
        await new Promise<void>((resolve, reject) => {
          this.#server.once('error', reject);
          this.#server.listen(port, this.#deps.host, () => {
            this.#server.off('error', reject);
            resolve();
          });
        });
        return (this.#server.address() as AddressInfo).port;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || port >= preferred + 200) throw error;
      }
    }
  }

  setCertificate(pair: { key: string; certificate: string }): void {
    this.#pair = pair;
    this.#server.setSecureContext({ key: pair.key, cert: pair.certificate, ca: this.#ca });
  }

  #trust(ca: string): void {
    if (ca === this.#ca) return;
    this.#ca = ca;
    if (this.#pair !== undefined) this.setCertificate(this.#pair);
  }

  async close(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #onRequest(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const request = await this.#admit(incoming);
      if (request.type === 'healthz') response.end('ok');
      else if (request.type === 'pods') sendJson(response, podList(this.#podsHere()));
      else if (request.type === 'running-pods') sendJson(response, runningPods(this.#podsHere(), this.#link()));
      else if (request.type === 'summary') sendJson(response, await this.#deps.stats.summary(this.#link(), request));
      else if (request.type === 'resource-metrics')
        response
          .setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8')
          .end(await this.#deps.stats.resourceMetrics(this.#link()));
      else if (request.type === 'logs') await this.#sendLogs(request, response);
      else if (request.type === 'stream')
        throw new CodedError('InvalidArgument', 'this request must upgrade its connection');
      else throw new CodedError('NotFound', `a virtual node does not serve ${request.path}`);
    } catch (error) {
      if (response.headersSent) return void response.destroy();
      const status = error instanceof CodedError ? httpStatusOf(error.code) : 500;
      response.writeHead(status, { 'content-type': 'text/plain' }).end(messageOf(error));
    }
  }

  async #admit(incoming: IncomingMessage): Promise<KubeletRequest> {
    const { method = 'GET', headers, url: target = '/' } = incoming;
    await this.#deps.callers.check(this.#deps.node, incoming.socket as TLSSocket, {
      method,
      authorization: headers.authorization,
      target,
    });
    return parseKubeletRequest(target);
  }

  #podsHere(): Pod[] {
    return this.#deps.pods.list().filter((pod) => pod.spec.nodeName === this.#deps.node);
  }

  #link(): PeerLink {
    const link = this.#deps.link();
    if (link !== undefined) return link;
    throw new CodedError('Unavailable', `the peer behind ${this.#deps.node} is not known any more`);
  }

  async #sendLogs(request: Extract<KubeletRequest, { type: 'logs' }>, response: ServerResponse): Promise<void> {
    const { uid, link } = this.#find(request);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const logs = await link.read(
      'logs',
      { params: { uid, container: request.container }, query: request.query },
      gone.signal,
    );
    response.writeHead(200, { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' });
    response.flushHeaders();
    pipeline(logs, response, () => logs.destroy());
  }

  async #onUpgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.#streams.add(socket);
    socket.on('close', () => this.#streams.delete(socket));
    socket.on('error', () => socket.destroy());
    try {
      const request = await this.#admit(incoming);
      if (request.type !== 'stream') throw new CodedError('NotFound', 'nothing here upgrades its connection');
      const { uid, link } = this.#find(request);
      const answer = await link.podStream(uid, {
        method: incoming.method ?? 'GET',
        action: request.action,
        container: request.container,
        query: request.query,
        rawHeaders: incoming.rawHeaders,
      });
      if (!answer.upgraded) {
        writeResponseHead(socket, answer.status, ['Content-Type', answer.contentType, 'Connection', 'close']);
        return void socket.end(answer.body);
      }
      writeResponseHead(socket, answer.status, answer.rawHeaders);
      joinStreams({ stream: socket, head }, { stream: answer.socket, head: answer.head });
    } catch (error) {
      const status = error instanceof CodedError ? httpStatusOf(error.code) : 500;
      writeResponseHead(socket, status, ['Content-Type', 'text/plain', 'Connection', 'close']);
      socket.end(messageOf(error));
    }
  }

  #find({ namespace, pod: name }: { namespace: string; pod: string }): { uid: string; link: PeerLink } {
    const pod = this.#deps.pods.get(`${namespace}/${name}`);
    if (pod?.spec.nodeName !== this.#deps.node || pod.metadata.uid === undefined) {
      throw new CodedError(
        'NotFound',
        `pod "${name}" in namespace "${namespace}" does not exist on ${this.#deps.node}`,
      );
    }
    return { uid: pod.metadata.uid, link: this.#link() };
  }
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
}

function podList(items: unknown[]): object {
  return { kind: 'PodList', apiVersion: 'v1', metadata: {}, items };
}

/** As a kubelet answers it, from what its container runtime knows: no more than who runs, and which containers. */
function runningPods(pods: Pod[], link: PeerLink): object {
  const running = pods.filter((pod) => link.pods.get(pod.metadata.uid ?? '')?.status?.phase === 'Running');
  return podList(
    running.map(({ metadata: { name, namespace, uid }, spec }) => ({
      metadata: { name, namespace, uid },
      spec: { containers: spec.containers.map((one) => ({ name: one.name, image: one.image, resources: {} })) },
      status: {},
    })),
  );
}
