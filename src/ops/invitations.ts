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
import { explain } from './cluster.ts';

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
export async function listInvitations(client: Pick<KubeClient, 'list'>, clock: Clock): Promise<InvitationStatus[]> {
  try {
    const query = { labelSelector: INVITATION_LABEL };
    const { items } = await client.list<InvitationSecret>(SECRETS, { namespace: AGENT_NAMESPACE, query });
    return items.map((secret) => toStatus(secret, clock.now())).sort((a, b) => (a.expiresAt < b.expiresAt ? 1 : -1));
  } catch (error) {
    throw explain(error);
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
