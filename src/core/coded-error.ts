/** The reasons for which an operation can fail, on the wire and inside one process. */
export type ErrorCode =
  | 'InvalidArgument'
  | 'Unauthenticated'
  | 'Forbidden'
  | 'NotFound'
  | 'Conflict'
  | 'FailedPrecondition'
  | 'ResourceExhausted'
  | 'Unavailable'
  | 'Internal';

/** The one error class of the project: a code for programs, a message that tells a person what to do. Never put secrets in it. */
export class CodedError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CodedError';
    this.code = code;
  }
}

const HTTP_STATUS: Record<ErrorCode, number> = {
  InvalidArgument: 400,
  Unauthenticated: 401,
  Forbidden: 403,
  NotFound: 404,
  Conflict: 409,
  FailedPrecondition: 412,
  ResourceExhausted: 429,
  Internal: 500,
  Unavailable: 503,
};

/** The HTTP status that carries an error code. */
export function httpStatusOf(code: ErrorCode): number {
  return HTTP_STATUS[code];
}

/** The error code for an HTTP status; what is not in the table is `Internal`. */
export function errorCodeOfHttpStatus(status: number): ErrorCode {
  const found = Object.entries(HTTP_STATUS).find(([, value]) => value === status);
  return found === undefined ? 'Internal' : (found[0] as ErrorCode);
}

/** True when `error` is a CodedError with one of `codes`. */
export function hasCode(error: unknown, ...codes: ErrorCode[]): error is CodedError {
  return error instanceof CodedError && codes.includes(error.code);
}

/** The message of anything that was thrown, with its causes. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `: ${messageOf(error.cause)}`;
  return `${error.message}${cause}`;
}
