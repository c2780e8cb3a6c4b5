import Type from 'typebox';
import { Check } from 'typebox/value';
import { CodedError } from '../core/coded-error.ts';
import type { EndpointReach } from '../core/diagnosis/diagnosis.ts';
import { plainLine } from '../core/plain-text.ts';

const Answer = Type.Object({
  endpoints: Type.Array(
    Type.Object({
      endpoint: Type.String({ maxLength: 300 }),
      ok: Type.Boolean(),
      problem: Type.Optional(Type.String({ maxLength: 2000 })),
    }),
    { maxItems: 16 },
  ),
});

/** What a peer says of how it reaches our endpoints. Throws Internal when it is malformed. */
export function parseEndpointReach(answer: unknown): EndpointReach[] {
  if (!Check(Answer, answer))
    throw new CodedError('Internal', 'the peer answered something that is no list of endpoints');
  return answer.endpoints.map(({ endpoint, ok, problem = 'it does not say why' }) =>
    ok ? { endpoint: plainLine(endpoint), ok } : { endpoint: plainLine(endpoint), ok, problem: plainLine(problem) },
  );
}
