import type { Condition } from '../../core/kube-objects.ts';
import { PEER_LABEL } from '../../core/labels.ts';
import { judgeRequest, type SigningRequest } from '../../core/virtual-node/judge-request.ts';
import { backoffDelayMs, CONNECT_BACKOFF } from '../../runtime/backoff.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';

/** The API server, as far as the approver needs it. */
export interface SigningRequests {
  /** All there are, and from then on each that is made or changed, until the connection ends. */
  follow(signal: AbortSignal): AsyncIterable<SigningRequest>;
  /** Labels of a node; undefined where there is none of that name. */
  labelsOfNode(name: string): Promise<Record<string, string> | undefined>;
  /** Whether requests of this signer may be approved. */
  mayApprove(signerName: string): Promise<boolean>;
  /** Writes the conditions; somebody else may have been first. */
  decide(request: SigningRequest): Promise<void>;
}

export interface NodeApproverDeps {
  requests: SigningRequests;
  /** The agent's user name. */
  agent: string;
  /** The address of the node that this process and the agent run on. */
  hostIp: string;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

/** Between two tries of a connection that ended by itself. */
const SOON_MS = 200;
/** When all is looked at again after one could not be decided. */
const AGAIN_MS = 5_000;

/**
 * Approves what the agent may have: certificates of virtual nodes. A process of its own does that, as the right to approve
 * is one to be any node: the agent, which talks to other members, has no way to it. Runs until `signal` aborts.
 */
export async function approveNodeRequests(deps: NodeApproverDeps, signal: AbortSignal): Promise<void> {
  const { clock, logger } = deps;
  let failures = 0;
  while (!signal.aborted) {
    const round = new AbortController();
    try {
      await considerAll(deps, AbortSignal.any([signal, round.signal]), () => round.abort());
      failures = 0;
      await clock.sleep(SOON_MS, signal);
    } catch (err) {
      if (signal.aborted) return;
      if (round.signal.aborted) continue;
      failures += 1;
      logger.warn({ err, failures }, 'certificate requests cannot be followed; trying again');
      await clock.sleep(backoffDelayMs(CONNECT_BACKOFF, failures, deps.random()), signal).catch(() => {});
    }
  }
}

/** One that cannot be decided holds up no other. @param again has all of them looked at once more */
async function considerAll(deps: NodeApproverDeps, signal: AbortSignal, again: () => void): Promise<void> {
  const { requests, clock, logger } = deps;
  let failed = false;
  for await (const request of requests.follow(signal)) {
    try {
      await consider(deps, request);
    } catch (err) {
      // One line a round, however many they are.
      if (failed) continue;
      failed = true;
      logger.warn({ err, request: request.metadata.name }, 'a certificate request cannot be decided; trying again');
      void clock.sleep(AGAIN_MS, signal).then(again, () => {});
    }
  }
}

async function consider(deps: NodeApproverDeps, request: SigningRequest): Promise<void> {
  const { requests, logger } = deps;
  const verdict = judgeRequest(request, deps);
  const { name } = request.metadata;
  if (verdict.type === 'leave') return;
  if (verdict.type === 'deny') {
    logger.warn({ request: name }, 'a certificate that is none of a virtual node is refused');
    return requests.decide(decided(request, 'Denied', verdict.message, deps.clock));
  }
  const { node, signer } = verdict;
  const labels = await requests.labelsOfNode(node);
  if (labels !== undefined && labels[PEER_LABEL] === undefined) {
    logger.error({ request: name, node }, 'a real node has the name of a virtual one; its certificate is refused');
    return requests.decide(
      decided(request, 'Denied', `${node} is a node of this cluster, and no virtual one`, deps.clock),
    );
  }
  // That of serving certificates is an optional part: other clusters have somebody who approves them.
  if (!(await requests.mayApprove(signer))) return;
  logger.info({ request: name, node, signer }, 'certificate of a virtual node approved');
  return requests.decide(decided(request, 'Approved', `for virtual node ${node}`, deps.clock));
}

function decided(request: SigningRequest, type: 'Approved' | 'Denied', message: string, clock: Clock): SigningRequest {
  const now = toKubeTime(clock.now());
  const condition = {
    type,
    status: 'True',
    reason: 'HeadcutVirtualNode',
    message,
    lastUpdateTime: now,
    lastTransitionTime: now,
  };
  return { ...request, status: { ...request.status, conditions: [condition as Condition] } };
}
