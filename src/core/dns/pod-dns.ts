import type { PodSpec } from '../kube-objects.ts';

export interface DnsConfig {
  nameservers?: string[];
  searches?: string[];
  options?: { name: string; value?: string }[];
}

/** What a kubelet gives to pods with dnsPolicy ClusterFirst. */
const NDOTS = { name: 'ndots', value: '5' };
/** The API server's own limits. */
const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;

/** True for pods that ask their cluster's DNS: the others have what they said, here as at home. */
export function asksClusterDns(spec: PodSpec): boolean {
  return (spec.dnsPolicy ?? 'ClusterFirst') === 'ClusterFirst' || spec.dnsPolicy === 'ClusterFirstWithHostNet';
}

/**
 * The DNS of an offloaded pod: our nameserver with the search list of its home namespace, in the way a kubelet would write it.
 * There is no second nameserver: this cluster's own DNS would give wrong answers to the names of another cluster.
 */
export function toPodDns(
  spec: PodSpec,
  home: { namespace: string; nameserver: string; clusterDomain: string },
): { dnsPolicy: 'None'; dnsConfig: DnsConfig } {
  const own = (spec.dnsConfig ?? {}) as DnsConfig;
  const { namespace, nameserver, clusterDomain } = home;
  const searches = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  const options = own.options ?? [];
  return {
    dnsPolicy: 'None',
    dnsConfig: {
      nameservers: unique([nameserver, ...(own.nameservers ?? [])]).slice(0, MAX_NAMESERVERS),
      searches: unique([...searches, ...(own.searches ?? [])]).slice(0, MAX_SEARCHES),
      options: [...(options.some((option) => option.name === NDOTS.name) ? [] : [NDOTS]), ...options],
    },
  };
}

function unique(items: string[]): string[] {
  return [...new Set(items)];
}
