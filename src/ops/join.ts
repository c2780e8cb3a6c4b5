import { CodedError, type ErrorCode } from '../core/coded-error.ts';
import type { KubeObject } from '../core/kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../core/labels.ts';
import {
  AGENT_NAMESPACE,
  encodeData,
  JOIN_LABEL,
  JOIN_PREFIX,
  JOIN_RESULT_ANNOTATION,
  type JoinResult,
} from '../core/membership/join-secrets.ts';
import { hashSecret, type JoinToken, parseJoinToken } from '../core/membership/join-token.ts';
import { isAlreadyExists, isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { SECRETS } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { explain, readFederation } from './cluster.ts';

export interface JoinOptions {
  timeoutMs: number;
  clock: Clock;
  signal: AbortSignal;
}

export const DEFAULT_JOIN_TIMEOUT_MS = 60_000;
/** Only the inviting member's clock counts; ours, which may be wrong by hours, refuses just what is old beyond doubt. */
const CLOCK_TOLERANCE_MS = 24 * 3_600_000;
const POLL_MS = 250;

export type Joined = Extract<JoinResult, { ok: true }>;

/** Lets the agent of this cluster join with a token. Throws CodedError that says why not; then nothing was changed. */
export async function join(client: KubeClient, text: string, options: JoinOptions): Promise<Joined> {
  const token = parseJoinToken(text);
  if (options.clock.now() > token.expiresAt + CLOCK_TOLERANCE_MS) {
    const at = new Date(token.expiresAt).toISOString();
    throw new CodedError('FailedPrecondition', `this token expired at ${at}; run headcut invite again`);
  }
  const { status } = await readFederation(client);
  if (status?.id === token.inviter) {
    throw new CodedError(
      'FailedPrecondition',
      'this token was made by this very cluster; run headcut join against another one',
    );
  }
  try {
    return await handOver(client, text.trim(), token, options);
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason;
    throw explain(error);
  }
}

async function handOver(client: KubeClient, text: string, token: JoinToken, options: JoinOptions): Promise<Joined> {
  const name = `${JOIN_PREFIX}${hashSecret(token.secret).slice(0, 10)}`;
  const secret: KubeObject = {
    metadata: { name, namespace: AGENT_NAMESPACE, labels: { [JOIN_LABEL]: 'true', [MANAGED_BY_LABEL]: MANAGED_BY } },
    type: 'Opaque',
    data: encodeData({ token: text }),
  };
  const created = await createAnew(client, secret);
  try {
    const result = await waitForResult(client, created, options);
    if (result.ok) return result;
    throw new CodedError(result.code as ErrorCode, result.message);
  } finally {
    await remove(client, created);
  }
}

/** What an interrupted join left behind gives way. */
async function createAnew(client: KubeClient, secret: KubeObject): Promise<KubeObject> {
  try {
    return await client.create(SECRETS, secret);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  await remove(client, secret);
  return client.create(SECRETS, secret);
}

async function waitForResult(client: KubeClient, created: KubeObject, options: JoinOptions): Promise<JoinResult> {
  const { clock, timeoutMs, signal } = options;
  const { namespace, name } = created.metadata;
  const until = clock.monotonic() + timeoutMs;
  while (clock.monotonic() < until) {
    const { metadata } = await client.get(SECRETS, { namespace, name });
    const result = metadata.annotations?.[JOIN_RESULT_ANNOTATION];
    if (result !== undefined) return JSON.parse(result) as JoinResult;
    await clock.sleep(POLL_MS, signal);
  }
  throw new CodedError(
    'Unavailable',
    `the headcut agent of this cluster did not answer within ${Math.round(timeoutMs / 1000)}s; look at kubectl -n headcut-system get pods, then run headcut join with the same token again`,
  );
}

async function remove(client: KubeClient, secret: KubeObject): Promise<void> {
  const { namespace, name, uid } = secret.metadata;
  try {
    await client.delete(SECRETS, { namespace, name }, uid === undefined ? {} : { uid });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
