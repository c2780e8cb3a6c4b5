import { createHash, timingSafeEqual } from 'node:crypto';
import { CodedError } from '../core/coded-error.ts';

/**
 * Who may use the console: whoever has its address. It listens on loopback alone, but other users of the machine reach that too,
 * and so does any web page in the user's browser. Hence its address has a secret in it, which is in no cookie (cookies are sent to
 * every port of a host, other users' too); requests name the console itself as host and origin, so that no name which leads to
 * 127.0.0.1 (DNS rebinding) makes its page one of another site; and what changes something carries a second secret, which only
 * the console's own page can read.
 */
export interface Session {
  /** In the path of every address: `/SECRET/…`. */
  secret: string;
  /** In a header of every request that changes something. */
  csrfToken: string;
  port: number;
}

/** The header of a request that changes something. */
export const CSRF_HEADER = 'x-headcut-csrf';

/** What of a request is judged. */
export interface GuardedRequest {
  method: string;
  /** As it was asked for, with its query. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Bytes of each secret; as base64url in addresses. */
export const SECRET_BYTES = 32;

/** Why a request is not answered; undefined where it is. It says nothing of secrets. */
export function refusalOf({ method, url, headers }: GuardedRequest, session: Session): CodedError | undefined {
  const hosts = ['127.0.0.1', 'localhost', '[::1]'].map((host) => `${host}:${session.port}`);
  if (!hosts.includes(one(headers.host))) return refused('this host name is not that of the console');
  const origin = headers.origin === undefined ? undefined : one(headers.origin);
  if (origin !== undefined && origin !== `http://${one(headers.host)}`)
    return refused('other web pages may not use the console');
  const site = headers['sec-fetch-site'];
  if (site !== undefined && !['same-origin', 'none'].includes(one(site)))
    return refused('other web pages may not use the console');
  const [, secret = ''] = url.split(/[/?]/);
  if (!isSame(secret, session.secret))
    return refused('open the address that headcut console printed, which is for this run of it alone');
  if (method === 'GET') return undefined;
  if (method !== 'POST') return new CodedError('InvalidArgument', `the console takes no ${method.slice(0, 20)}`);
  if (origin === undefined) return refused('a request that changes something says which page it comes from');
  if (!isSame(one(headers[CSRF_HEADER]), session.csrfToken))
    return refused('load the page of the console again: this request is not of its present run');
  return undefined;
}

/** A header given more than once is none. */
function one(header: string | string[] | undefined): string {
  return typeof header === 'string' ? header : '';
}

function refused(message: string): CodedError {
  return new CodedError('Forbidden', message);
}

/** Takes as long for any text. */
function isSame(given: string, secret: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}

/**
 * Headers of every answer. The page runs its own script alone, loads nothing from elsewhere, is in no frame, writes no markup from
 * text (trusted types), and tells nobody its address.
 */
export const ANSWER_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};
