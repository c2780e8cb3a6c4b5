import type { Server } from 'node:https';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Offloading } from '../../core/admission/plan-pod-mutation.ts';
import { parseReviewRequest, planReview, REVIEW_PATHS, reviewAnswer } from '../../core/admission/review.ts';
import { ByteBudget } from '../../peering/byte-budget.ts';
import { readJsonBodies } from '../../peering/json-bodies.ts';
import { createFairConnections, shareConnections } from '../../runtime/fair-connections.ts';
import type { KeyAndCertificate } from '../../runtime/x509.ts';

const MIB = 1024 * 1024;
/** An object in etcd has at most 1.5 MB; the old one may come along. */
const MAX_BODY_BYTES = 4 * MIB;
/** An API server has a few, with many questions on each; pods of this cluster reach the port as well. */
const CONNECTIONS = { total: 128, perOwner: 4, mostPerMember: 32 };
/** Of reviews that are read or answered, by the address that asks: pods as they are mostly have their place, whatever others send. */
const BODIES = { perOwner: 12 * MIB, inAll: 24 * MIB, always: MIB / 4, waiting: 1_000 };
/** API servers wait for ten seconds at most. */
const WITHIN_MS = 10_000;
/** Go's clients keep a connection for 90 s. */
const IDLE_MS = 120_000;

export interface WebhookServer {
  /** @param port 0 takes any free one. @returns the port */
  listen(host: string, port: number): Promise<number>;
  /** Another certificate for connections from now on. */
  renew(certificate: KeyAndCertificate): void;
  /** Bytes of bodies that are held now. */
  bodyBytes(): number;
  close(): Promise<void>;
}

/** Answers the API server's reviews. Whoever else asks learns nothing, since an answer depends on the question and on Offloadings only. */
export function createWebhookServer(
  { key, certificate }: KeyAndCertificate,
  offloadingOf: (namespace: string) => Offloading | undefined,
): WebhookServer {
  const app = fastify({
    https: { key, cert: certificate, handshakeTimeout: WITHIN_MS },
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: WITHIN_MS,
    connectionTimeout: IDLE_MS,
    forceCloseConnections: true,
  }) as unknown as FastifyInstance<Server>;
  shareConnections(app.server, createFairConnections(CONNECTIONS));
  readJsonBodies(app as unknown as FastifyInstance);
  const bodies = new ByteBudget(BODIES);
  for (const path of REVIEW_PATHS)
    app.post(
      path,
      { onRequest: (request, reply) => takeRoom(bodies, request, reply) },
      (request: FastifyRequest, reply: FastifyReply) => {
        const review = parseReviewRequest(request.body);
        if (review === undefined) return reply.status(400).send({ message: 'an AdmissionReview is expected' });
        return reply.send(reviewAnswer(review, planReview(path, review, offloadingOf)));
      },
    );
  return {
    listen: async (host, port) => {
      await app.listen({ host, port });
      const address = app.server.address();
      return address !== null && typeof address === 'object' ? address.port : port;
    },
    renew: (next) => app.server.setSecureContext({ key: next.key, cert: next.certificate }),
    bodyBytes: () => bodies.inAll,
    close: () => app.close(),
  };
}

/** Before any byte of the body is read. */
async function takeRoom(bodies: ByteBudget, { headers, raw }: FastifyRequest, reply: FastifyReply): Promise<void> {
  const closed = new AbortController();
  reply.raw.once('close', () => closed.abort(new Error('the caller is gone')));
  const told =
    headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) || 0 : MAX_BODY_BYTES;
  const release = await bodies.take(raw.socket.remoteAddress ?? '', Math.min(told, MAX_BODY_BYTES), closed.signal);
  if (closed.signal.aborted) release();
  else closed.signal.addEventListener('abort', release, { once: true });
}
