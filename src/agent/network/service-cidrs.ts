import type { KubeObject } from '../../core/kube-objects.ts';
import { parsePrefix } from '../../core/network/prefix.ts';
import { isForbidden, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SERVICE_CIDRS } from '../../kube/resources.ts';

interface ServiceCidr extends KubeObject {
  spec?: { cidrs?: string[] };
}

/** The IPv4 networks of this cluster's Services; empty where the API server does not tell (before Kubernetes 1.33). Sorted. */
export async function readServiceCidrs(client: Pick<KubeClient, 'list'>): Promise<string[]> {
  try {
    const { items } = await client.list<ServiceCidr>(SERVICE_CIDRS);
    const all = items.flatMap(({ spec }) => spec?.cidrs ?? []);
    return [...new Set(all.filter(isIpv4Network))].sort();
  } catch (error) {
    if (isNotFound(error) || isForbidden(error)) return [];
    throw error;
  }
}

function isIpv4Network(text: string): boolean {
  try {
    parsePrefix(text);
    return true;
  } catch {
    return false;
  }
}
