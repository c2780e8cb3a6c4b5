import { CodedError } from '../core/coded-error.ts';
import type { KubeObject } from '../core/kube-objects.ts';
import {
  AGENT_NAMESPACE,
  decodeData,
  INVITATION_LABEL,
  INVITATION_PREFIX,
  parseUses,
} from '../core/membership/join-secrets.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { SECRETS } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { explain, readFederation } from './cluster.ts';

/** An invitation that was made here. Its secret is nowhere but in the token. */
export interface InvitationStatus {
  invitation: string;
  state: 'Open' | 'Used' | 'Expired';
  expiresAt: string;
  maxUses: number;
  /** Names of the clusters that it admitted. */
  usedBy: string[];
}

type InvitationSecret = KubeObject & { data?: Record<string, string> };

/** All invitations that are known still, the one that ends last first. */
export async function listInvitations(
  client: Pick<KubeClient, 'list' | 'get'>,
  clock: Clock,
): Promise<InvitationStatus[]> {
  try {
    const query = { labelSelector: INVITATION_LABEL };
    const { items } = await client.list<InvitationSecret>(SECRETS, { namespace: AGENT_NAMESPACE, query });
    // None, or no headcut: the namespace of its agent need not be there to be listed.
    if (items.length === 0) await readFederation(client);
    return items.map((secret) => toStatus(secret, clock.now())).sort((a, b) => (a.expiresAt < b.expiresAt ? 1 : -1));
  } catch (error) {
    throw explain(error);
  }
}

const POLL_MS = 1_000;

/** Gives the name of each cluster that joins with an invitation, until nobody can any more. Throws FailedPrecondition when that was nobody. */
export async function* awaitUse(
  client: Pick<KubeClient, 'list' | 'get'>,
  invitation: string,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): AsyncGenerator<string> {
  let told = 0;
  for (;;) {
    const found = (await listInvitations(client, clock)).find((one) => one.invitation === invitation);
    for (const name of found?.usedBy.slice(told) ?? []) yield name;
    told = Math.max(told, found?.usedBy.length ?? 0);
    if (found?.state === 'Open') await clock.sleep(POLL_MS, signal);
    else if (told > 0) return;
    else
      throw new CodedError(
        'FailedPrecondition',
        `nobody joined with invitation ${invitation}, which has ${found === undefined ? 'been ended' : 'expired'}; run headcut invite again`,
      );
  }
}

/** Ends an invitation; who joined with it stays. */
export async function revokeInvitation(client: Pick<KubeClient, 'delete'>, invitation: string): Promise<void> {
  try {
    await client.delete(SECRETS, { namespace: AGENT_NAMESPACE, name: `${INVITATION_PREFIX}${invitation}` });
  } catch (error) {
    if (isNotFound(error))
      throw new CodedError('NotFound', `there is no invitation ${invitation}; headcut invitations lists them`);
    throw explain(error);
  }
}

function toStatus({ metadata, data }: InvitationSecret, now: number): InvitationStatus {
  const expiresAt = decodeData(data, 'expiresAt');
  const { maxUses, uses } = parseUses((name) => decodeData(data, name));
  const state = uses.length >= maxUses ? 'Used' : now > Date.parse(expiresAt) ? 'Expired' : 'Open';
  return {
    invitation: metadata.name.slice(INVITATION_PREFIX.length),
    state,
    expiresAt,
    maxUses,
    usedBy: uses.map((use) => use.name),
  };
}
