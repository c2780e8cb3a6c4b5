import { createHash } from 'node:crypto';
import { type KubeObject, objectKey } from '../../core/kube-objects.ts';
import { plainLine, plainReason } from '../../core/plain-text.ts';
import type { ServiceProblem } from '../../core/service/sent-service.ts';
import { ignoreGone, isAlreadyExists } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { EVENTS } from '../../kube/resources.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { PeerLink } from '../ports.ts';

export interface ProblemEventsDeps {
  client: Pick<KubeClient, 'create'>;
  clock: Clock;
  logger: Logger;
}

/** An event is a write: one a Service and hour, and so many for one answer. */
const REPORT_EVERY_MS = 3_600_000;
const MAX_PROBLEMS = 50;

/** Says on Services why a peer does not have them: once an hour each, whatever the peer says and however often. */
export class ProblemEvents {
  readonly #deps: ProblemEventsDeps;
  /** When a problem of a Service on a peer was told last (monotonic ms), by their names. */
  readonly #reported = new Map<string, number>();

  constructor(deps: ProblemEventsDeps) {
    this.#deps = deps;
  }

  /** @param problems what a peer answered @param serviceOf a Service of this cluster by its name */
  async report(
    link: Pick<PeerLink, 'id' | 'name'>,
    problems: readonly ServiceProblem[],
    serviceOf: (name: string) => KubeObject | undefined,
  ): Promise<void> {
    for (const problem of problems.slice(0, MAX_PROBLEMS)) {
      const service = serviceOf(problem.service);
      if (service !== undefined) await this.#reportOne(link, service, problem);
    }
  }

  async #reportOne(link: Pick<PeerLink, 'id' | 'name'>, service: KubeObject, problem: ServiceProblem): Promise<void> {
    const { clock, client, logger } = this.#deps;
    const { name, namespace = '', uid = '' } = service.metadata;
    const id = `${link.id}/${namespace}/${name}`;
    const now = clock.monotonic();
    for (const [other, at] of this.#reported) if (now - at >= REPORT_EVERY_MS) this.#reported.delete(other);
    if (this.#reported.has(id)) return;
    this.#reported.set(id, now);
    const at = toKubeTime(clock.now());
    // A later one has a name of its own.
    const hour = Math.floor(clock.now() / REPORT_EVERY_MS);
    const suffix = createHash('sha256').update(`${id}/${hour}`).digest('hex').slice(0, 16);
    logger.warn({ peer: link.name, object: objectKey(service), ...problem }, 'Service not mirrored');
    await client
      .create(EVENTS, {
        metadata: { name: `${name.slice(0, 200)}.${suffix}`, namespace },
        involvedObject: { apiVersion: 'v1', kind: 'Service', namespace, name, uid },
        type: 'Warning',
        reason: plainReason(problem.reason),
        message: plainLine(`on ${link.name}: ${problem.message}`),
        source: { component: 'headcut' },
        count: 1,
        firstTimestamp: at,
        lastTimestamp: at,
      })
      .catch((error: unknown) => {
        // By the agent before this one.
        if (!isAlreadyExists(error)) ignoreGone(error);
      });
  }
}
