import { CodedError } from '../core/coded-error.ts';
import type { KubeObject } from '../core/kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../core/labels.ts';
import {
  AGENT_NAMESPACE,
  decodeData,
  encodeData,
  INVITATION_LABEL,
  INVITATION_PREFIX,
  type InvitationData,
} from '../core/membership/join-secrets.ts';
import { formatJoinToken, hashSecret } from '../core/membership/join-token.ts';
import type { KubeClient } from '../kube/client.ts';
import { SECRETS } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { explain, readFederation } from './cluster.ts';

export interface InviteOptions {
  ttlMs: number;
  /** How many clusters it admits; one when not said. */
  maxUses?: number;
  /** That many random bytes. */
  randomBytes(count: number): Uint8Array;
  clock: Clock;
}

export interface Invitation {
  token: string;
  invitation: string;
  expiresAt: string;
  endpoints: string[];
  inviter: { id: string; name: string };
}

export const DEFAULT_INVITATION_TTL_MS = 15 * 60_000;
const MAX_USES = 100;
const MAX_INVITATION_TTL_MS = 7 * 86_400_000;
/** An expired invitation still tells what became of it for this long. */
const KEEP_EXPIRED_MS = 86_400_000;

/** Makes a token with which one other cluster can join. Only its hash is stored. */
export async function invite(client: KubeClient, options: InviteOptions): Promise<Invitation> {
  const { ttlMs, clock, randomBytes, maxUses = 1 } = options;
  if (!Number.isInteger(maxUses) || maxUses < 1 || maxUses > MAX_USES)
    throw new CodedError('InvalidArgument', `an invitation admits 1 to ${MAX_USES} clusters, not ${maxUses}`);
  if (ttlMs < 1_000 || ttlMs > MAX_INVITATION_TTL_MS) {
    throw new CodedError('InvalidArgument', 'the time for which an invitation holds must be between 1s and 168h');
  }
  const { id, name = '', endpoints = [], key } = (await readFederation(client)).status ?? {};
  if (id === undefined || endpoints.length === 0) {
    throw new CodedError(
      'FailedPrecondition',
      'the headcut agent of this cluster is not ready yet: it has not said where it listens; look at kubectl -n headcut-system get pods',
    );
  }
  const invitation = Buffer.from(randomBytes(5)).toString('hex');
  const secret = Buffer.from(randomBytes(32)).toString('base64url');
  const expiresAt = clock.now() + ttlMs;
  const data: InvitationData = {
    secretHash: hashSecret(secret),
    expiresAt: new Date(expiresAt).toISOString(),
    maxUses,
  };
  try {
    await removeOldInvitations(client, clock);
    await client.create(SECRETS, {
      metadata: {
        name: `${INVITATION_PREFIX}${invitation}`,
        namespace: AGENT_NAMESPACE,
        labels: { [INVITATION_LABEL]: 'true', [MANAGED_BY_LABEL]: MANAGED_BY },
      },
      type: 'Opaque',
      data: encodeData(data),
    });
  } catch (error) {
    throw explain(error);
  }
  const token = formatJoinToken({
    endpoints,
    inviter: id,
    replacedKeys: key?.replaced ?? 0,
    invitation,
    secret,
    expiresAt,
  });
  return { token, invitation, expiresAt: data.expiresAt, endpoints, inviter: { id, name } };
}

async function removeOldInvitations(client: KubeClient, clock: Clock): Promise<void> {
  const query = { labelSelector: INVITATION_LABEL };
  const { items } = await client.list<KubeObject & { data?: Record<string, string> }>(SECRETS, {
    namespace: AGENT_NAMESPACE,
    query,
  });
  for (const { metadata, data } of items) {
    const expiredAt = Date.parse(decodeData(data, 'expiresAt'));
    if (clock.now() - expiredAt <= KEEP_EXPIRED_MS) continue;
    await client.delete(SECRETS, { namespace: AGENT_NAMESPACE, name: metadata.name });
  }
}
