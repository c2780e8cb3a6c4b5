import { CLUSTERSET_DOMAIN } from '../../core/dns/origin-names.ts';
import { isForbidden, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SERVICE_IMPORTS } from '../../kube/resources.ts';
import { type Check, type Finding, ok, skipped, warning } from './check.ts';

const GROUP = '/apis/multicluster.x-k8s.io';
const INSTALL =
  'kubectl apply -f manifests/optional/multicluster-services.yaml (headcut install does so where there are none, and leaves others alone)';
const DNS_STEP = `add \`multicluster ${CLUSTERSET_DOMAIN}\` to the kubernetes plugin in the Corefile, and the zone to its zones: docs/services.md shows it`;

/** Whether this cluster knows the kinds by which members share Services, and its DNS the names. */
const sharing: Check = {
  id: 'sharing',
  title: 'Shared Services',
  aboutPeers: false,
  run: async ({ client, signal }) => {
    const kinds = await servedKinds(client, signal);
    if (kinds.old)
      return [warning('the kinds ServiceExport and ServiceImport are too old: v1beta1 is not served', INSTALL)];
    if (!kinds.served) return [warning('the kinds ServiceExport and ServiceImport are not there', INSTALL)];
    const served = ok('ServiceExport and ServiceImport are served');
    const { items } = await client.list(SERVICE_IMPORTS, { signal });
    if (items.length === 0) return [served];
    return [served, await corefile(client, signal)];
  },
};

async function servedKinds(client: KubeClient, signal: AbortSignal): Promise<{ served: boolean; old: boolean }> {
  const has = async (version: string): Promise<boolean> => {
    try {
      const { resources = [] } = (await client.request('GET', `${GROUP}/${version}`, { signal })) as {
        resources?: { name: string }[];
      };
      const names = resources.map(({ name }) => name);
      return names.includes('serviceexports') && names.includes('serviceimports');
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  };
  const served = await has('v1beta1');
  return { served, old: !served && (await has('v1alpha1')) };
}

/** The Corefile as most clusters have it; where it is elsewhere nobody can tell. */
async function corefile(client: KubeClient, signal: AbortSignal): Promise<Finding> {
  try {
    const path = '/api/v1/namespaces/kube-system/configmaps/coredns';
    const { data = {} } = (await client.request('GET', path, { signal })) as { data?: Record<string, string> };
    const text = Object.values(data).join('\n');
    return /^\s*multicluster\b/m.test(text) && text.includes(CLUSTERSET_DOMAIN)
      ? ok(`CoreDNS answers for ${CLUSTERSET_DOMAIN}`)
      : warning(`CoreDNS does not answer for ${CLUSTERSET_DOMAIN}, so imports have no names here`, DNS_STEP);
  } catch (error) {
    if (isNotFound(error))
      return skipped('names of imports: there is no ConfigMap kube-system/coredns; see docs/services.md');
    if (isForbidden(error)) return skipped('names of imports: you may not read ConfigMap kube-system/coredns');
    throw error;
  }
}

export const SHARING_CHECKS: Check[] = [sharing];
