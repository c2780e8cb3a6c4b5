import { CodedError } from '../../src/core/coded-error.ts';

/** What was thrown, which must be an error of ours: with a code, and words for people. */
export async function failureOf(promise: Promise<unknown>): Promise<CodedError> {
  const error = await promise.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (!(error instanceof CodedError)) throw new Error(`no coded error, but ${String(error)}`);
  return error;
}
