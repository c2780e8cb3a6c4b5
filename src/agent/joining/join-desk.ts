import { timingSafeEqual, X509Certificate } from 'node:crypto';
import { CodedError } from '../../core/coded-error.ts';
import type { KubeObject } from '../../core/kube-objects.ts';
import { encodeData, type InvitationUse, parseUses } from '../../core/membership/join-secrets.ts';
import { hashSecret } from '../../core/membership/join-token.ts';
import { proveMember } from '../../core/membership/member-keys.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { isJoinSignedBy, problemOfRecord } from '../../core/membership/signed-record.ts';
import { isConflict, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SECRETS } from '../../kube/resources.ts';
import type { JoinReply, JoinRequest } from '../../peering/serving.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Roster } from '../ports.ts';

export interface JoinDeskDeps {
  ownId: string;
  client: Pick<KubeClient, 'get' | 'replace'>;
  namespace: string;
  membership: { admit(record: PeerRecord): Promise<void> };
  roster: Pick<Roster, 'records' | 'told'>;
  clock: Clock;
}

/** Newcomers that come with the same invitation at the same moment. */
const MAX_TRIES = 10;

interface InvitationSecret extends KubeObject {
  data?: Record<string, string>;
}

/** Judges newcomers: each invitation admits as many keys as it says; each of them may come again, so that a half-done join can be repeated. */
export function createJoinDesk(deps: JoinDeskDeps): (request: JoinRequest) => Promise<JoinReply> {
  return async (request) => {
    const { record } = request;
    const problem = problemOfRecord(record);
    if (problem !== undefined)
      throw new CodedError('InvalidArgument', `the newcomer's record is not valid: ${problem}`);
    if (!isJoinSignedBy(record, deps.ownId, request.invitation, request.signature)) {
      throw new CodedError('Unauthenticated', "the newcomer did not prove that it holds its record's key");
    }
    if (record.id === deps.ownId)
      throw new CodedError(
        'FailedPrecondition',
        'this token was made by this very cluster; join with it from another one',
      );
    mustHaveItsPresentKey(deps, request);
    await spend(deps, request);
    await deps.membership.admit(record);
    const records = deps.roster.records();
    // A newcomer from a backup hears what it said last, and goes on from there: others do not believe what is older.
    const lastWord = deps.roster.told().filter((one) => one.id === record.id && one.left === true);
    return {
      records: [
        ...records.filter((one) => one.id === deps.ownId),
        ...records.filter((one) => one.id !== deps.ownId),
        ...lastWord,
      ],
    };
  };
}

/** Who is a member already may join again, but not with a key that it has replaced: that may be somebody else by now. */
function mustHaveItsPresentKey({ roster }: JoinDeskDeps, { record }: JoinRequest): void {
  const known = roster.records().find(({ id }) => id === record.id);
  if (known === undefined) return;
  const proof = proveMember(new X509Certificate(Buffer.from(record.certificate, 'base64')), known);
  if ('problem' in proof)
    throw new CodedError(
      'FailedPrecondition',
      `${known.name} is a member by a later key than the one that it joins with, as after a backup from before headcut rotate-key; give it a new identity (kubectl -n headcut-system delete secret headcut-identity, then restart its agent), or headcut forget ${known.name} here first`,
    );
}

async function spend(deps: JoinDeskDeps, request: JoinRequest, tries = 1): Promise<void> {
  const secret = await findInvitation(deps, request.invitation);
  const field = (name: string): string => Buffer.from(secret.data?.[name] ?? '', 'base64').toString('utf8');
  if (!isSame(field('secretHash'), hashSecret(request.secret))) {
    throw new CodedError(
      'Unauthenticated',
      'the token is altered: its secret is not the one of the invitation; copy it again as a whole',
    );
  }
  const { maxUses, uses } = parseUses(field);
  if (uses.some((use) => use.id === request.record.id)) return;
  if (uses.length >= maxUses) {
    const by = uses.map((use) => `${use.name} at ${use.at}`).join(', ');
    const admits = maxUses === 1 ? 'one cluster' : `${maxUses} clusters`;
    const message = `this token was used already, by ${by}; it admits ${admits}, run headcut invite again`;
    throw new CodedError('FailedPrecondition', message);
  }
  const now = deps.clock.now();
  if (now > Date.parse(field('expiresAt'))) {
    throw new CodedError('FailedPrecondition', `this token expired at ${field('expiresAt')}; run headcut invite again`);
  }
  const use: InvitationUse = { id: request.record.id, name: request.record.name, at: new Date(now).toISOString() };
  const encoded = encodeData({ uses: JSON.stringify([...uses, use]) });
  try {
    // resourceVersion is kept, so that of two who spend it at once exactly one wins.
    await deps.client.replace(SECRETS, { ...secret, data: { ...secret.data, ...encoded } });
  } catch (error) {
    if (isConflict(error) && maxUses > 1 && tries < MAX_TRIES) return spend(deps, request, tries + 1);
    if (isConflict(error))
      throw new CodedError(
        'FailedPrecondition',
        'this token was used by another cluster at the same moment; run headcut join again, or headcut invite',
      );
    throw error;
  }
}

async function findInvitation(deps: JoinDeskDeps, invitation: string): Promise<InvitationSecret> {
  try {
    return await deps.client.get<InvitationSecret>(SECRETS, {
      namespace: deps.namespace,
      name: `headcut-invitation-${invitation}`,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new CodedError(
      'FailedPrecondition',
      'this token is not known any more: it was revoked, or expired long ago; run headcut invite again',
    );
  }
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
