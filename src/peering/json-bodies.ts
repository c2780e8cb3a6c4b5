import type { FastifyInstance } from 'fastify';
import { CodedError } from '../core/coded-error.ts';
import { problemOfJson } from '../core/json-bounds.ts';

/** Bodies of JSON are read if that is no more work than a body of its size may be; `__proto__` is refused as before. */
export function readJsonBodies(app: FastifyInstance): void {
  const read = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const problem = problemOfJson(String(body));
    if (problem !== undefined) return done(new CodedError('InvalidArgument', `the body is not read: ${problem}`));
    read(request, String(body), done);
  });
}
