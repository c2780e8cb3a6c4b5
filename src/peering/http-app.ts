import type { Server as HttpServer } from 'node:http';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { CodedError, hasCode, httpStatusOf, messageOf } from '../core/coded-error.ts';
import type { Logger } from '../runtime/logger.ts';
import { readJsonBodies } from './json-bodies.ts';

/**
 * Routes on a server that gets its connections from elsewhere; what they throw is answered as code and message.
 * @param onUnreadable called where a request could not even be read
 */
export function createHttpApp(
  server: HttpServer,
  logger: Logger,
  onUnreadable: (request: FastifyRequest, problem: string) => void = () => {},
): FastifyInstance {
  const app = fastify({
    // Parameters are judged by their definitions, as everything else.
    routerOptions: { maxParamLength: 16 * 1024 },
    serverFactory: (handler) => server.on('request', handler),
    exposeHeadRoutes: false,
    forceCloseConnections: true,
  });
  readJsonBodies(app);
  app.setErrorHandler((error, request, reply) => {
    const coded = toCodedError(error);
    if (coded !== error && coded.code === 'InvalidArgument') onUnreadable(request, coded.message);
    if (coded.code === 'Internal') logger.error({ err: error }, 'request failed');
    return reply.status(httpStatusOf(coded.code)).send({ code: coded.code, message: messageOf(coded) });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.status(404).send({ code: 'NotFound', message: `no endpoint ${request.method} ${request.url.slice(0, 200)}` }),
  );
  return app;
}

/** Whatever was thrown while a request was answered, as what the caller is told. */
export function toCodedError(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const { statusCode } = error as { statusCode?: number };
  if (statusCode === 413) return new CodedError('ResourceExhausted', 'the request is too large');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new CodedError('InvalidArgument', messageOf(error));
  if (hasCode((error as Error).cause)) return (error as Error).cause as CodedError;
  return new CodedError('Internal', messageOf(error));
}
