import { createHash } from 'node:crypto';
import type { KubeObject } from '../../core/kube-objects.ts';
import { plainLine } from '../../core/plain-text.ts';
import { isAlreadyExists } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { EVENTS } from '../../kube/resources.ts';
import { toKubeTime } from '../../runtime/clock.ts';

/** Records an event on a claim; one that says the same is there once. @param at ms since 1970 */
export async function recordClaimEvent(
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
