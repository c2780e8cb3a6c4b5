/** Secrets through which the command line and the agent speak about joining, all in the agent's own namespace. */

/** Where the agent lives. */
export const AGENT_NAMESPACE = 'headcut-system';

export const INVITATION_PREFIX = 'headcut-invitation-';
/** Fields of an invitation: the first two written by `headcut invite`, the others by the agent that it admits with. */
export interface InvitationData {
  secretHash: string;
  /** RFC 3339. */
  expiresAt: string;
  /** How many clusters it admits; 1 when it does not say. */
  maxUses?: number;
  /** JSON of InvitationUse[]. */
  uses?: string;
}

/** A cluster that an invitation admitted. */
export interface InvitationUse {
  id: string;
  name: string;
  /** RFC 3339. */
  at: string;
}

/** What an invitation was and can be used for. @param field a decoded field of it, '' when it is not there */
export function parseUses(field: (name: string) => string): { maxUses: number; uses: InvitationUse[] } {
  const uses = field('uses') === '' ? [] : (JSON.parse(field('uses')) as InvitationUse[]);
  return { maxUses: Number(field('maxUses')) || 1, uses };
}

/** Label of a Secret with a token (`data.token`) that the agent is asked to spend. */
export const JOIN_LABEL = 'headcut.dev/join';
export const INVITATION_LABEL = 'headcut.dev/invitation';
export const JOIN_PREFIX = 'headcut-join-';
/** Annotation with the outcome, JSON of JoinResult. */
export const JOIN_RESULT_ANNOTATION = 'headcut.dev/join-result';

export type JoinResult =
  | { ok: true; inviter: string; members: string[]; already: boolean }
  | { ok: false; code: string; message: string };

export function encodeData(data: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [name, Buffer.from(String(value)).toString('base64')]),
  );
}

export function decodeData(data: Record<string, string> | undefined, name: string): string {
  return Buffer.from(data?.[name] ?? '', 'base64').toString('utf8');
}
