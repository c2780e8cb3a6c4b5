import type { KubeObject } from '../../core/kube-objects.ts';
import { plainLine } from '../../core/plain-text.ts';
import type { KubeClient } from '../../kube/client.ts';
import { EVENTS } from '../../kube/resources.ts';

interface ClaimEvent extends KubeObject {
  message?: string;
  lastTimestamp?: string;
}

/** What was said last about a claim that is not bound; empty where nothing was. */
export async function latestEventOf(client: Pick<KubeClient, 'list'>, { metadata }: KubeObject): Promise<string> {
  const { namespace = '', uid = '' } = metadata;
  const fieldSelector = `involvedObject.uid=${uid}`;
  const found = client.list<ClaimEvent>(EVENTS, { namespace, query: { fieldSelector } });
  const { items } = await found.catch(() => ({ items: [] as ClaimEvent[] }));
  const at = ({ lastTimestamp, metadata: { creationTimestamp = '' } }: ClaimEvent): string =>
    lastTimestamp ?? creationTimestamp;
  return plainLine(items.sort((a, b) => (at(a) < at(b) ? 1 : -1))[0]?.message ?? '');
}
