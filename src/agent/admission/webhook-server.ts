import type { Server } from 'node:https';
import fastify, { type FastifyInstance } from 'fastify';
import type { Offloading } from '../../core/admission/plan-pod-mutation.ts';
import { parseReviewRequest, planReview, REVIEW_PATHS, reviewAnswer } from '../../core/admission/review.ts';
import type { KeyAndCertificate } from '../../runtime/x509.ts';

/** An object in etcd has at most 1.5 MB; the old one may come along. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

export interface WebhookServer {
  listen(host: string, port: number): Promise<void>;
  /** Another certificate for connections from now on. */
  renew(certificate: KeyAndCertificate): void;
  close(): Promise<void>;
}

/** Answers the API server's reviews. Whoever else asks learns nothing, since an answer depends on the question and on Offloadings only. */
export function createWebhookServer(
  { key, certificate }: KeyAndCertificate,
  offloadingOf: (namespace: string) => Offloading | undefined,
): WebhookServer {
  const app = fastify({ https: { key, cert: certificate }, bodyLimit: MAX_BODY_BYTES });
  for (const path of REVIEW_PATHS)
    app.post(path, (request, reply) => {
      const review = parseReviewRequest(request.body);
      if (review === undefined) return reply.status(400).send({ message: 'an AdmissionReview is expected' });
      return reply.send(reviewAnswer(review, planReview(path, review, offloadingOf)));
    });
  return {
    listen: async (host, port) => void (await app.listen({ host, port })),
    renew: (next) =>
      (app as unknown as FastifyInstance<Server>).server.setSecureContext({ key: next.key, cert: next.certificate }),
    close: () => app.close(),
  };
}
