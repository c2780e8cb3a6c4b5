import { CodedError } from '../core/coded-error.ts';
import { plainLine, plainReason } from '../core/plain-text.ts';
import type { ServiceProblem } from '../core/service/sent-service.ts';

/** Reads the answer to `updateServices`; throws Internal when it is none. */
export function parseServiceProblems(answer: unknown): ServiceProblem[] {
  const { problems } = answer as { problems?: unknown };
  if (!Array.isArray(problems)) throw new CodedError('Internal', 'the peer answered without a list of problems');
  return problems.map((problem: Record<string, unknown>) => ({
    service: plainLine(String(problem.service), 63),
    reason: plainReason(String(problem.reason)),
    message: plainLine(String(problem.message)),
  }));
}
