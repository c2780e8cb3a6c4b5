import { execute, runCommand } from '../runtime/command.ts';
import { routesFromJson } from './subnet.ts';
import { type ClusterTopology, type LabTopology, type NatTopology, natNamespaceOf } from './topology.ts';

/**
 * The lab's wires: a bridge in a network namespace of its own, with one link to each cluster and one to the machine.
 * Everything is made where it belongs, so nothing but one link is ever seen in the machine's own namespace.
 */

/** What a cluster's namespace needs for pods and kube-proxy; br_netfilter lets Service rules see bridged packets. */
const CLUSTER_SYSCTLS = {
  'net/ipv4/ip_forward': '1',
  'net/ipv4/conf/all/rp_filter': '0',
  'net/ipv4/conf/default/rp_filter': '0',
  'net/bridge/bridge-nf-call-iptables': '1',
} as const;

/** Destinations of all routes in the machine's own namespace. */
export async function readHostRoutes(): Promise<string[]> {
  return routesFromJson(await execute(['ip', '-4', '-json', 'route', 'show', 'table', 'all']));
}

/** Makes the lab network and the machine's link to it. */
export async function createLabNetwork(lab: LabTopology): Promise<void> {
  const { networkNamespace, bridge, hostLink, prefixLength } = lab;
  await createNamespace(networkNamespace);
  const inside = (...argv: string[]): Promise<string> => execute(['ip', '-n', networkNamespace, ...argv]);
  if (!(await hasLink(bridge, networkNamespace))) await inside('link', 'add', bridge, 'type', 'bridge');
  await inside('addr', 'replace', `${lab.bridgeAddress}/${prefixLength}`, 'dev', bridge);
  await inside('link', 'set', bridge, 'up');
  if (!(await hasLink('host', networkNamespace))) {
    await runCommand(['ip', 'link', 'delete', hostLink]);
    await execute(['ip', 'link', 'add', hostLink, 'type', 'veth', 'peer', 'name', 'host', 'netns', networkNamespace]);
  }
  await inside('link', 'set', 'host', 'master', bridge, 'up');
  await execute(['ip', 'addr', 'replace', `${lab.hostAddress}/${prefixLength}`, 'dev', hostLink]);
  await execute(['ip', 'link', 'set', hostLink, 'up']);
}

/** Makes a cluster's network namespace and its link to the lab network. */
export async function createClusterNetwork(lab: LabTopology, cluster: ClusterTopology): Promise<void> {
  const { networkNamespace, bridgePort } = cluster;
  await createNamespace(networkNamespace);
  await writeSysctls(networkNamespace); // before the link, which inherits some of them
  const { nat } = cluster;
  if (nat === undefined) {
    await plugIn(lab, bridgePort, { namespace: networkNamespace, link: 'eth0' });
    await setAddress(networkNamespace, 'eth0', `${cluster.address}/${lab.prefixLength}`);
  } else {
    await createRouter(lab, cluster, nat);
    await setAddress(networkNamespace, 'eth0', `${cluster.address}/${nat.innerPrefixLength}`);
  }
  // Service addresses are only routable when some route matches them.
  const router = nat?.innerAddress ?? lab.bridgeAddress;
  await execute(['ip', '-n', networkNamespace, 'route', 'replace', 'default', 'via', router]);
}

/** A link from a namespace to a port of the bridge. */
async function plugIn(lab: LabTopology, port: string, end: { namespace: string; link: string }): Promise<void> {
  if (!(await hasLink(end.link, end.namespace))) {
    const peer = ['peer', 'name', end.link, 'netns', end.namespace];
    await execute(['ip', '-n', lab.networkNamespace, 'link', 'add', port, 'type', 'veth', ...peer]);
  }
  await execute(['ip', '-n', lab.networkNamespace, 'link', 'set', port, 'master', lab.bridge, 'up']);
}

async function setAddress(namespace: string, link: string, address: string): Promise<void> {
  await execute(['ip', '-n', namespace, 'addr', 'replace', address, 'dev', link]);
  await execute(['ip', '-n', namespace, 'link', 'set', link, 'up']);
}

/** The router of a cluster that is behind one: it hides the cluster's address from all but the machine, whose kubectl is let in. */
async function createRouter(lab: LabTopology, cluster: ClusterTopology, nat: NatTopology): Promise<void> {
  const { networkNamespace: router } = nat;
  await createNamespace(router);
  await plugIn(lab, cluster.bridgePort, { namespace: router, link: 'outer' });
  await setAddress(router, 'outer', `${nat.outerAddress}/${lab.prefixLength}`);
  if (!(await hasLink('inner', router))) {
    const peer = ['peer', 'name', 'eth0', 'netns', cluster.networkNamespace];
    await execute(['ip', '-n', router, 'link', 'add', 'inner', 'type', 'veth', ...peer]);
  }
  await setAddress(router, 'inner', `${nat.innerAddress}/${nat.innerPrefixLength}`);
  await enterNetwork(router, 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  await applyRules(router, natRules(lab.hostAddress));
  await execute(['ip', 'route', 'replace', nat.innerNetwork, 'via', nat.outerAddress, 'dev', lab.hostLink]);
}

/** `add` before `delete`, so that the table may exist or not. */
function natRules(hostAddress: string): string {
  return `add table ip headcut
delete table ip headcut
table ip headcut {
  chain forward {
    type filter hook forward priority 0; policy drop;
    iifname "inner" accept
    ct state established,related accept
    ip saddr ${hostAddress} accept
  }
  chain postrouting {
    type nat hook postrouting priority 100;
    oifname "outer" ip daddr != ${hostAddress} masquerade
  }
}`;
}

/** Removes a cluster's namespace; its link and the bridge's port go with it. */
export async function removeClusterNetwork(lab: LabTopology, cluster: ClusterTopology): Promise<void> {
  if (await hasNamespace(lab.networkNamespace))
    await runCommand(['ip', '-n', lab.networkNamespace, 'link', 'delete', cluster.bridgePort]);
  await removeNamespace(cluster.networkNamespace);
  await removeNamespace(natNamespaceOf(lab, cluster));
}

export async function removeLabNetwork(lab: LabTopology): Promise<void> {
  if (await hasLink(lab.hostLink)) await execute(['ip', 'link', 'delete', lab.hostLink]);
  await removeNamespace(lab.networkNamespace);
}

export async function listNamespaces(): Promise<string[]> {
  const text = await execute(['ip', '-json', 'netns', 'list']);
  return (JSON.parse(text.trim() === '' ? '[]' : text) as { name: string }[]).map(({ name }) => name);
}

async function hasNamespace(name: string): Promise<boolean> {
  return (await listNamespaces()).includes(name);
}

/** A name without a namespace behind it (after a crash of `ip`) is made anew. */
async function createNamespace(name: string): Promise<void> {
  if ((await runCommand(['ip', '-n', name, 'link', 'set', 'lo', 'up'])).exitCode === 0) return;
  await runCommand(['ip', 'netns', 'delete', name]);
  await execute(['ip', 'netns', 'add', name]);
  await execute(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
}

async function removeNamespace(name: string): Promise<void> {
  if (await hasNamespace(name)) await execute(['ip', 'netns', 'delete', name]);
}

async function hasLink(link: string, namespace?: string): Promise<boolean> {
  const where = namespace === undefined ? [] : ['-n', namespace];
  return (await runCommand(['ip', ...where, 'link', 'show', 'dev', link])).exitCode === 0;
}

/** /proc/sys/net is that of the process which opens it, so entering the network namespace is enough. */
async function writeSysctls(namespace: string): Promise<void> {
  const script = Object.entries(CLUSTER_SYSCTLS)
    .map(([key, value]) => `[ ! -e /proc/sys/${key} ] || echo ${value} > /proc/sys/${key}`)
    .join('\n');
  await enterNetwork(namespace, script);
}

/** Applies a script of nftables in a network namespace, as one transaction. */
export async function applyRules(namespace: string, rules: string): Promise<void> {
  await enterNetwork(namespace, `nft -f - <<'RULES'\n${rules}\nRULES`);
}

async function enterNetwork(namespace: string, script: string): Promise<void> {
  await execute(['nsenter', `--net=/run/netns/${namespace}`, 'sh', '-ec', script]);
}
