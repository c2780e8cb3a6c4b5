import { CodedError } from '../../src/core/coded-error.ts';
import type { CallHandlers } from '../../src/peering/serving.ts';
import { ENDPOINTS } from '../../src/wire/endpoints.ts';

/** Refuses every call there is: tests put in place of some what they need. */
export function refusingCalls(): CallHandlers {
  const refuse = (): Promise<never> => Promise.reject(new CodedError('Unavailable', 'not in this test'));
  return Object.fromEntries(Object.keys(ENDPOINTS).map((name) => [name, refuse])) as unknown as CallHandlers;
}
