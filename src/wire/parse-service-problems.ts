import { CodedError } from '../core/coded-error.ts';
import type { ServiceProblem } from '../core/service/sent-service.ts';

/** The longest message of a peer that is shown to people here. */
const MAX_MESSAGE = 1_000;

/** Reads the answer to `updateServices`; throws Internal when it is none. */
export function parseServiceProblems(answer: unknown): ServiceProblem[] {
  const { problems } = answer as { problems?: unknown };
  if (!Array.isArray(problems)) throw new CodedError('Internal', 'the peer answered without a list of problems');
  return problems.map((problem: Record<string, unknown>) => ({
    service: String(problem.service).slice(0, 63),
    reason: String(problem.reason)
      .replace(/[^A-Za-z0-9]/g, '')
      .slice(0, 63),
    message: String(problem.message).slice(0, MAX_MESSAGE),
  }));
}
