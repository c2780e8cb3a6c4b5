import { createHash } from 'node:crypto';
import { messageOf } from '../../core/coded-error.ts';
import { type KubeObject, objectKey } from '../../core/kube-objects.ts';
import { plainLine } from '../../core/plain-text.ts';
import { isAlreadyExists } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { EVENTS } from '../../kube/resources.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';

/** A peer words what its provisioner says as it likes: what is said for one reason is said at this pace. */
const SAY_AGAIN_MS = 60_000;

export interface ClaimEventsDeps {
  client: Pick<KubeClient, 'create'>;
  clock: Pick<Clock, 'now' | 'monotonic'>;
  logger: Logger;
}

/** Tells claims what becomes of them: for each reason once a minute at most, and not the same again. */
export class ClaimEvents {
  readonly #deps: ClaimEventsDeps;
  /** By UID of the claim, and reason; `at` is monotonic ms. */
  readonly #told = new Map<string, Map<string, { message: string; at: number }>>();

  constructor(deps: ClaimEventsDeps) {
    this.#deps = deps;
  }

  async tell(claim: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): Promise<void> {
    const { client, clock, logger } = this.#deps;
    const { uid = '' } = claim.metadata;
    const told = this.#told.get(uid) ?? new Map<string, { message: string; at: number }>();
    const [last, now] = [told.get(reason), clock.monotonic()];
    if (last !== undefined && (last.message === message || now < last.at + SAY_AGAIN_MS)) return;
    this.#told.set(uid, told.set(reason, { message, at: now }));
    await recordClaimEvent(client, claim, { type, reason, message, at: clock.now() }).catch((error) =>
      logger.warn({ claim: objectKey(claim), message: messageOf(error) }, 'an event of a claim was not recorded'),
    );
  }

  /** The claim is gone. */
  forget(claim: KubeObject | undefined): void {
    this.#told.delete(claim?.metadata.uid ?? '');
  }
}

/** Records an event on a claim; one that says the same is there once. @param at ms since 1970 */
async function recordClaimEvent(
  client: Pick<KubeClient, 'create'>,
  { metadata: { namespace = '', name, uid = '' } }: KubeObject,
  { type, reason, message, at }: { type: 'Normal' | 'Warning'; reason: string; message: string; at: number },
): Promise<void> {
  const time = toKubeTime(at);
  const mark = createHash('sha256').update(`${uid} ${reason} ${message}`).digest('hex').slice(0, 16);
  await client
    .create(EVENTS, {
      metadata: { name: `${name.slice(0, 200)}.${mark}`, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      type,
      reason,
      message: plainLine(message),
      source: { component: 'headcut' },
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
    })
    .catch((error) => {
      if (!isAlreadyExists(error)) throw error;
    });
}
