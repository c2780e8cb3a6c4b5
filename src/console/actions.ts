import { type ActionName, NAMESPACE_ACTIONS } from '../core/console/action-rights.ts';
import { policiesText } from '../core/explain/explain-namespace.ts';
import type { KubeClient } from '../kube/client.ts';
import { approve } from '../ops/approve.ts';
import { readFederation } from '../ops/cluster.ts';
import { drainPeer, undrainPeer } from '../ops/drain.ts';
import { forgetPeer } from '../ops/forget.ts';
import { DEFAULT_INVITATION_TTL_MS, type Invitation, invite } from '../ops/invite.ts';
import { offload, unoffload } from '../ops/offload.ts';
import { rebalance } from '../ops/rebalance.ts';
import {
  approvedText,
  describeMoveStep,
  describeRebalanceStep,
  forgottenTexts,
  offloadedText,
  podsBeforeText,
} from '../ops/step-texts.ts';
import type { Clock } from '../runtime/clock.ts';

export interface ActionRequest {
  action: ActionName;
  /** The namespace or member that it is about; empty for invite. */
  subject: string;
  /** Only say what would be done. */
  dryRun: boolean;
}

/** What an action tells as it goes on. */
export type ActionStep = { line: string } | { invitation: Invitation };

export interface ActionDeps {
  client: KubeClient;
  clock: Clock;
  randomBytes(count: number): Uint8Array;
  signal: AbortSignal;
}

const MOVE_WITHIN_MS = 120_000;
const REBALANCE_WITHIN_MS = 300_000;

/** Does what the command of the same name does, by the same operation. */
export async function* runAction(deps: ActionDeps, request: ActionRequest): AsyncGenerator<ActionStep> {
  const { client, clock, signal } = deps;
  const { action, subject, dryRun } = request;
  const evicting = { clock, signal, dryRun, force: false, timeoutMs: MOVE_WITHIN_MS };
  switch (action) {
    case 'invite':
      return yield* runInvite(deps, dryRun);
    case 'approve':
      return yield { line: approvedText(await approve(client, subject, { dryRun }), dryRun) };
    case 'offload':
      return yield* runOffload(client, subject, dryRun);
    case 'unoffload':
      for await (const step of unoffload(client, subject, { ...evicting, keepPods: false }))
        yield { line: describeMoveStep(step, dryRun) };
      return;
    case 'drain':
      for await (const step of drainPeer(client, subject, evicting)) yield { line: describeMoveStep(step, dryRun) };
      return;
    case 'undrain': {
      const { changed, node } = await undrainPeer(client, subject, { dryRun });
      const would = dryRun ? 'would go' : 'go';
      return yield {
        line: changed ? `Pods ${would} to ${subject} again (${node}).` : `Pods go to ${subject} already.`,
      };
    }
    case 'rebalance':
      for await (const step of rebalance(client, subject, { clock, signal, dryRun, timeoutMs: REBALANCE_WITHIN_MS }))
        yield { line: describeRebalanceStep(step, dryRun) };
      return;
    case 'forget':
      for (const line of forgottenTexts(await forgetPeer(client, subject, { clock, signal, dryRun }), dryRun))
        yield { line };
  }
}

async function* runInvite(deps: ActionDeps, dryRun: boolean): AsyncGenerator<ActionStep> {
  const { client, clock, randomBytes } = deps;
  if (!dryRun)
    return yield { invitation: await invite(client, { ttlMs: DEFAULT_INVITATION_TTL_MS, clock, randomBytes }) };
  const { endpoints = [] } = (await readFederation(client)).status ?? {};
  const within = `${DEFAULT_INVITATION_TTL_MS / 60_000} minutes`;
  yield { line: `Would make a token with which one other cluster can join within ${within}.` };
  yield { line: `The other cluster has to reach ${endpoints.join(' or ') || 'this one'}.` };
}

async function* runOffload(client: KubeClient, subject: string, dryRun: boolean): AsyncGenerator<ActionStep> {
  const done = await offload(client, subject, { dryRun });
  yield { line: offloadedText(done, dryRun) };
  const policies = policiesText(done.networkPolicies);
  if (policies !== undefined) yield { line: policies };
  if (done.podsBefore > 0) yield { line: podsBeforeText(done) };
}

/** Whether a subject is a name of Kubernetes, or an ID: what is none is not asked for. */
export function isSubject(action: ActionName, subject: string): boolean {
  if (action === 'invite') return subject === '';
  const longest = NAMESPACE_ACTIONS.includes(action) ? 63 : 253;
  return subject.length <= longest && /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(subject);
}
