import { createHash } from 'node:crypto';
import { CodedError } from '../coded-error.ts';

/** What `headcut invite` prints and `headcut join` takes. */
export interface JoinToken {
  /** Where the inviting member listens, best first. */
  endpoints: string[];
  /** Cluster ID of the inviting member, on whose key the newcomer insists. */
  inviter: string;
  /** How many keys the inviter had replaced by then, if any: the newcomer takes none of those for its key. */
  replacedKeys?: number;
  invitation: string;
  secret: string;
  /** Milliseconds since 1970, by the inviter's clock; for messages only, since clocks differ. */
  expiresAt: number;
}

const PREFIX = 'headcut1.';
const CHECK_CHARS = 8;

const checksum = (payload: string): string =>
  createHash('sha256').update(payload).digest('base64url').slice(0, CHECK_CHARS);

/** One line, safe for URLs and shells, with a checksum that tells a damaged token from a refused one. */
export function formatJoinToken(token: JoinToken): string {
  const { endpoints, inviter, invitation, secret, expiresAt, replacedKeys = 0 } = token;
  const fields = [endpoints, inviter, invitation, secret, expiresAt, ...(replacedKeys > 0 ? [replacedKeys] : [])];
  const payload = Buffer.from(JSON.stringify(fields)).toString('base64url');
  return `${PREFIX}${payload}.${checksum(payload)}`;
}

/** Throws InvalidArgument that says what is wrong with the text. */
export function parseJoinToken(text: string): JoinToken {
  const trimmed = text.trim();
  if (!trimmed.startsWith(PREFIX)) {
    throw new CodedError(
      'InvalidArgument',
      `this is not a join token: it should start with "${PREFIX}"; make one with headcut invite`,
    );
  }
  const [payload = '', check = ''] = trimmed.slice(PREFIX.length).split('.');
  if (checksum(payload) !== check) {
    throw new CodedError(
      'InvalidArgument',
      'the token is altered or incomplete: its checksum does not match; copy it again as a whole',
    );
  }
  const [endpoints, inviter, invitation, secret, expiresAt, replacedKeys = 0] = JSON.parse(
    Buffer.from(payload, 'base64url').toString('utf8'),
  ) as [string[], string, string, string, number, number?];
  return { endpoints, inviter, invitation, secret, expiresAt, ...(replacedKeys > 0 ? { replacedKeys } : {}) };
}

/** What is stored of the secret. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
