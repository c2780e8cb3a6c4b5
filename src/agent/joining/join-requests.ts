import { CodedError, hasCode, messageOf } from '../../core/coded-error.ts';
import type { KubeObject } from '../../core/kube-objects.ts';
import { decodeData, JOIN_RESULT_ANNOTATION, type JoinResult } from '../../core/membership/join-secrets.ts';
import { type JoinToken, parseJoinToken } from '../../core/membership/join-token.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { signJoin } from '../../core/membership/signed-record.ts';
import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SECRETS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { ClientIdentity } from '../../peering/dial-peer.ts';
import { requestJoin } from '../../peering/join-client.ts';
import type { JoinReply } from '../../peering/serving.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { OwnIdentity, PeerLinks } from '../ports.ts';

/** A Secret with a token that the agent is asked to spend. */
export interface JoinSecret extends KubeObject {
  data?: Record<string, string>;
}

export interface JoinRequestsDeps {
  client: Pick<KubeClient, 'patch' | 'delete'>;
  namespace: string;
  /** Secrets of the agent's namespace with the label headcut.dev/join. */
  secrets: Store<JoinSecret>;
  identity: ClientIdentity;
  own: OwnIdentity & { rejoin(): Promise<void> };
  membership: {
    /** Takes over the roster that the inviting member answered. */
    accept(told: PeerRecord[], inviterId: string): Promise<void>;
  };
  links: Pick<PeerLinks, 'get' | 'list'>;
  clock: Clock;
  logger: Logger;
}

const TRY_WITHIN_MS = 8_000;
/** The command line deletes its Secret; one that is left behind holds a token, spent or not, and goes after this. */
const KEEP_RESULT_MS = 10 * 60_000;

/** Spends the tokens that `headcut join` hands over, and writes the outcome back. */
export function createJoinRequests(deps: JoinRequestsDeps): Controller {
  const controller = createController({
    name: 'join-requests',
    clock: deps.clock,
    logger: deps.logger,
    reconcile: (key) => reconcile(deps, key),
  });
  deps.secrets.onChange((key, after) => {
    if (after !== undefined) controller.enqueue(key);
  });
  return controller;
}

async function reconcile(deps: JoinRequestsDeps, key: string) {
  const secret = deps.secrets.get(key);
  if (secret === undefined) return undefined;
  const { name, uid } = secret.metadata;
  if (secret.metadata.annotations?.[JOIN_RESULT_ANNOTATION] !== undefined) {
    const ageMs = deps.clock.now() - Date.parse(secret.metadata.creationTimestamp ?? '');
    if (ageMs < KEEP_RESULT_MS) return { requeueAfterMs: KEEP_RESULT_MS - ageMs + 1_000 };
    await deps.client.delete(SECRETS, { namespace: deps.namespace, name }, uid === undefined ? {} : { uid });
    return undefined;
  }
  const result = await joinWith(deps, decodeData(secret.data, 'token'));
  deps.logger.info({ ...result }, 'join');
  const metadata = {
    annotations: { [JOIN_RESULT_ANNOTATION]: JSON.stringify(result) },
    ...(uid === undefined ? {} : { uid }),
  };
  try {
    await deps.client.patch(SECRETS, { namespace: deps.namespace, name }, { metadata });
  } catch (error) {
    // Nobody waits for it any more.
    if (!isNotFound(error)) throw error;
  }
  return undefined;
}

async function joinWith(deps: JoinRequestsDeps, text: string): Promise<JoinResult> {
  try {
    const token = parseJoinToken(text);
    if (token.inviter === deps.own.id) {
      throw new CodedError(
        'FailedPrecondition',
        'this token was made by this very cluster; run headcut join against another one',
      );
    }
    const already = deps.links.get(token.inviter) !== undefined;
    // Who left comes back with a newer record than the one that said so.
    await deps.own.rejoin();
    const answer = await askInviter(deps, token);
    await deps.membership.accept(answer.records, token.inviter);
    const members = deps.links.list().map((link) => link.name);
    return { ok: true, inviter: deps.links.get(token.inviter)?.name ?? token.inviter, members, already };
  } catch (error) {
    const known = hasCode(
      error,
      'InvalidArgument',
      'Unauthenticated',
      'FailedPrecondition',
      'Unavailable',
      'ResourceExhausted',
    );
    return { ok: false, code: known ? error.code : 'Internal', message: messageOf(error) };
  }
}

/** Tries each endpoint until the holder of the token's key answers; its word is final. */
async function askInviter(deps: JoinRequestsDeps, token: JoinToken): Promise<JoinReply> {
  const { own, identity } = deps;
  const failures: string[] = [];
  for (const endpoint of token.endpoints) {
    const request = {
      record: own.record(),
      invitation: token.invitation,
      secret: token.secret,
      signature: signJoin(token.inviter, token.invitation, identity.key),
    };
    try {
      return await requestJoin(endpoint, { ...token, id: token.inviter }, request, AbortSignal.timeout(TRY_WITHIN_MS));
    } catch (error) {
      if (!hasCode(error, 'Unavailable')) throw error;
      failures.push(`${endpoint} (${messageOf(error)})`);
    }
  }
  throw new CodedError(
    'Unavailable',
    `the inviting cluster cannot be reached from here; tried ${failures.join(', ')}. The token is not spent: check that TCP port 7443 is open there, then run headcut join again`,
  );
}
