import { plainLine, plainReason } from '../plain-text.ts';
import type { ServiceProblem } from './sent-service.ts';

/** What a provider says of Services, as it is shown at home. */
export function shownProblems(problems: readonly ServiceProblem[]): ServiceProblem[] {
  return problems.map(({ service, reason, message }) => ({
    service: plainLine(service, 63),
    reason: plainReason(reason),
    message: plainLine(message),
  }));
}
