import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../../../core/coded-error.ts';
import { execute } from '../../../runtime/command.ts';
import { writeFileAtomically } from '../../lab-state.ts';
import type { ClusterTopology } from '../../topology.ts';
import { corefile } from './cluster-dns.ts';
import { STORAGE_FILES } from './cluster-storage.ts';
import { allComponents } from './components.ts';
import { componentScript, holderScript, type LauncherSettings, namespacesScript } from './launchers.ts';
import { layoutOf, PRIVATE_FOLDERS } from './layout.ts';
import {
  type ContainerdSettings,
  containerdConfiguration,
  kubeletConfiguration,
  kubeProxyConfiguration,
} from './node-configuration.ts';
import { podNetworkPartsOf } from './pod-networks/pod-network-parts.ts';

/** Where Debian and others put CNI plugins. */
const CNI_PLUGIN_FOLDERS = ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'];

/** Folders of the machine that the cluster has for itself, and where in its `data` they really are. */
export function privateFolders(cluster: ClusterTopology): Readonly<Record<string, string>> {
  return { ...PRIVATE_FOLDERS, ...podNetworkPartsOf(cluster).privateFolders };
}

/** Every configuration file and launcher of a cluster: path below `etc` → text. Pure. */
export function clusterFiles(
  cluster: ClusterTopology,
  launchers: LauncherSettings,
  containerd: ContainerdSettings,
): Record<string, string> {
  return {
    'containerd.toml': containerdConfiguration(cluster, containerd),
    ...STORAGE_FILES,
    ...podNetworkPartsOf(cluster).files,
    'kubelet.yaml': kubeletConfiguration(cluster),
    'kube-proxy.yaml': kubeProxyConfiguration(cluster),
    Corefile: corefile(cluster),
    'resolv.conf': '# No resolver: a lab reaches nothing outside.\n',
    'namespaces.sh': namespacesScript(cluster, privateFolders(cluster)),
    'holder.sh': holderScript(cluster, launchers),
    ...Object.fromEntries(
      allComponents(cluster).map((component) => [
        `${component.name}.sh`,
        componentScript(cluster, component, launchers),
      ]),
    ),
  };
}

/** Writes them all, and the folders that must exist. */
export async function writeClusterFiles(
  cluster: ClusterTopology,
  launchers: LauncherSettings,
  toolsFolder: string,
): Promise<void> {
  writeEtc(cluster, clusterFiles(cluster, launchers, await readContainerdSettings(cluster, toolsFolder)));
  writeOnce(cluster);
}

/** Files of the pod network that its own components change as well. */
export function writeOnce(cluster: ClusterTopology): void {
  for (const [name, text] of Object.entries(podNetworkPartsOf(cluster).onceFiles)) {
    const path = join(layoutOf(cluster).folder, name);
    if (!existsSync(path)) writeFileAtomically(path, text);
  }
}

/** @param files path below `etc` → text */
export function writeEtc(cluster: ClusterTopology, files: Readonly<Record<string, string>>): void {
  const layout = layoutOf(cluster);
  for (const folder of [layout.etc, layout.logs, layout.run, layout.data]) mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileAtomically(join(layout.etc, name), text);
}

/** What containerd has to know of this machine. */
export async function readContainerdSettings(
  cluster: ClusterTopology,
  toolsFolder: string,
): Promise<ContainerdSettings> {
  const { data } = layoutOf(cluster);
  mkdirSync(data, { recursive: true });
  const own = podNetworkPartsOf(cluster).hasPlugin ? [toolsFolder] : [];
  return { cniPluginFolders: [...findPluginFolders(), ...own], snapshotter: await chooseSnapshotter(data) };
}

function findPluginFolders(): string[] {
  const found = CNI_PLUGIN_FOLDERS.filter((folder) => existsSync(join(folder, 'bridge')));
  if (found.length > 0) return found;
  throw new CodedError('FailedPrecondition', `no CNI plugins in ${CNI_PLUGIN_FOLDERS.join(', ')}`);
}

/** An overlay cannot lie on another one, as in a container whose disk is one. */
async function chooseSnapshotter(folder: string): Promise<'overlayfs' | 'native'> {
  const fileSystem = (await execute(['stat', '--file-system', '--format=%T', folder])).trim();
  return fileSystem === 'overlayfs' ? 'native' : 'overlayfs';
}
