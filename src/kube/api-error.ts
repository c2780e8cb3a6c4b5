import { CodedError } from '../core/coded-error.ts';

/** An answer of the API server that says no: its HTTP status, and the reason and message of its `Status` object. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly details: unknown;
  /** Seconds the server asks to wait before another try (429, 503). */
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, body: unknown, retryAfterSeconds?: number) {
    const fields = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
    super(typeof fields.message === 'string' ? fields.message : `API server answered ${status}`);
    this.name = 'ApiError';
    this.status = status;
    this.reason = typeof fields.reason === 'string' ? fields.reason : '';
    this.details = fields.details;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** True for 404. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** True for 409 of both kinds: the object exists already, or it changed in between. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}

/** True for 409 AlreadyExists. */
export function isAlreadyExists(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409 && error.reason === 'AlreadyExists';
}

/**
 * For a change or a deletion of an object by its UID or version: it is gone, or another one by now, which is looked at anew. For one
 * that is made under a name that says what it is: it is there already.
 */
export function ignoreGone(error: unknown): void {
  if (!isNotFound(error) && !isConflict(error)) throw error;
}

/** True for 403. */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

/** True for 422: the object breaks a rule of its kind, and does so the next time. */
export function isInvalid(error: unknown): boolean {
  return error instanceof ApiError && error.status === 422;
}

/** Codes of the system (ECONNREFUSED) and of undici; those of Node (ERR_…) and of OpenSSL speak of what was asked for, or of certificates. */
const OUT_OF_REACH = /^(?:E(?!RR)|UND_ERR_)/;

/** True when another try may do: the server could not be reached, or said that it cannot answer now. */
export function isTransient(error: unknown): boolean {
  if (error instanceof ApiError) return error.status >= 500 || error.status === 429;
  if (error instanceof CodedError || !(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && OUT_OF_REACH.test(code);
}

/** True when a list or watch has to start anew (410 Gone, reason Expired). */
export function isExpired(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 410 || error.reason === 'Expired');
}
