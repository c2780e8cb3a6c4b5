/** What a pod's /etc/resolv.conf says of its cluster. */
export interface ResolvConf {
  nameservers: string[];
  /** The domain of the cluster's Services, from the search list that kubelets write; `cluster.local` where it is missing. */
  clusterDomain: string;
}

const DEFAULT_CLUSTER_DOMAIN = 'cluster.local';

/** Reads resolv.conf(5); what is no line of it is passed over. */
export function parseResolvConf(text: string): ResolvConf {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const nameservers = lines.flatMap(([keyword, value]) =>
    keyword === 'nameserver' && value !== undefined ? [value] : [],
  );
  // The last search line counts.
  const search = lines.findLast(([keyword]) => keyword === 'search')?.slice(1) ?? [];
  const services = search.find((domain) => domain.startsWith('svc.'));
  return { nameservers, clusterDomain: services?.slice('svc.'.length).replace(/\.$/, '') ?? DEFAULT_CLUSTER_DOMAIN };
}
