import { join } from 'node:path';
import { type CgroupMounts, processFilesOf } from '../../cgroups.ts';
import type { ClusterTopology } from '../../topology.ts';
import type { Component } from './component.ts';
import { KINE_SOCKET, layoutOf } from './layout.ts';

/**
 * Shell scripts that start a cluster's processes. Each first joins the cluster's cgroup and writes down its own process
 * ID, so that nothing is ever started that cannot be found again, however the lab itself ends.
 */

export interface LauncherSettings {
  mounts: CgroupMounts;
  /** Search path in the cluster: tools first. */
  path: string;
}

export const HOLDER = 'holder';

export function pidFileOf(cluster: ClusterTopology, process: string): string {
  return join(layoutOf(cluster).run, `${process}.pid`);
}

/** The holder keeps the cluster's mount and UTS namespaces; it writes `ready` when they are set up. */
export function holderScript(cluster: ClusterTopology, settings: LauncherSettings): string {
  // Not `ip netns exec`: it remounts /sys and loses the cgroup mounts.
  const enter = `exec nsenter --net=/run/netns/${cluster.networkNamespace} unshare --mount --uts --propagation private`;
  return `${preamble(cluster, HOLDER, settings)}
${enter} sh ${quote(join(layoutOf(cluster).etc, 'namespaces.sh'))}
`;
}

/**
 * Runs as the holder, inside its new namespaces.
 * @param privateFolders folders of the machine that the cluster has for itself, and where in its `data` they really are
 */
export function namespacesScript(cluster: ClusterTopology, privateFolders: Readonly<Record<string, string>>): string {
  const { data, run } = layoutOf(cluster);
  const binds = Object.entries(privateFolders).map(([target, source]) => {
    const from = quote(join(data, source));
    return `mkdir -p ${from} ${target}\nmount --rbind ${from} ${target}`;
  });
  return `#!/bin/sh
# Sets up the namespaces of cluster ${cluster.name} and keeps them.
set -e
# Private towards the machine, shared below: containers that ask for mount propagation get it.
mount --make-rshared /
hostname ${quote(cluster.name)}
mount -t tmpfs -o mode=755,size=512m headcut-run /run
mkdir -p /run/netns /run/lock
${binds.join('\n')}
echo ready > ${quote(join(run, 'ready'))}
exec sleep infinity
`;
}

/** Starts one component in the holder's namespaces. */
export function componentScript(cluster: ClusterTopology, component: Component, settings: LauncherSettings): string {
  const [program = '', ...args] = component.argv;
  const lines = [program, ...args].map((argument) => `  ${quote(argument)}`).join(' \\\n');
  // A socket file of an earlier run keeps kine from listening; the folder is private, so it is ours.
  const before = component.name === 'kine' ? ` sh -c 'rm -f ${KINE_SOCKET}; exec "$@"' --` : '';
  return `${preamble(cluster, component.name, settings)}
read -r holder _ < ${quote(pidFileOf(cluster, HOLDER))}
exec nsenter --target "$holder" --net --mount --uts --${before} env -i PATH=${quote(settings.path)} HOME=/root \\
${lines}
`;
}

function preamble(cluster: ClusterTopology, process: string, { mounts }: LauncherSettings): string {
  const joins = processFilesOf(mounts, cluster.cgroup).map((file) => `echo $$ > ${quote(file)}`);
  const pidFile = pidFileOf(cluster, process);
  return `#!/bin/sh
# Starts ${process} of cluster ${cluster.name}.
set -e
${joins.join('\n')}
read -r stat < /proc/$$/stat
set -- \${stat##*) }
shift 19
echo "$$ $1" > ${quote(`${pidFile}.new`)}
mv ${quote(`${pidFile}.new`)} ${quote(pidFile)}
cd /`;
}

/** For a POSIX shell. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
