import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../../../core/coded-error.ts';
import { writeFileAtomically } from '../../lab-state.ts';
import type { ClusterProvider } from '../../provider.ts';
import type { ClusterTopology } from '../../topology.ts';
import { addonObjects } from '../kubernetes/cluster-api.ts';
import { createClusterAuthority } from '../kubernetes/cluster-certificates.ts';
import { corefile } from '../kubernetes/cluster-dns.ts';
import { readContainerdSettings, writeEtc, writeOnce } from '../kubernetes/cluster-files.ts';
import { PROVISIONER, STORAGE_FILES } from '../kubernetes/cluster-storage.ts';
import type { Component } from '../kubernetes/component.ts';
import { clients as kubernetesClients } from '../kubernetes/components.ts';
import { componentScript, holderScript, type LauncherSettings, namespacesScript } from '../kubernetes/launchers.ts';
import { layoutOf } from '../kubernetes/layout.ts';
import { kubeProxyConfiguration } from '../kubernetes/node-configuration.ts';
import { podNetworkPartsOf } from '../kubernetes/pod-networks/pod-network-parts.ts';
import { type ClusterRecipe, createProcessProvider, type ProcessProviderDeps } from '../shared/process-provider.ts';
import {
  containerdDropIn,
  K0S_CONTAINERD_SOCKET,
  K0S_PRIVATE_FOLDERS,
  k0sArguments,
  k0sConfiguration,
  k0sDataFolder,
} from './k0s-configuration.ts';

export interface K0sProviderDeps extends ProcessProviderDeps {
  /** Path of k0s; not needed for what is running already. */
  k0sBinary: string | undefined;
}

const K0S = 'k0s';
/** What k0s would run from images and the lab runs as processes. */
const ADDONS = ['kube-proxy', 'metrics-server', 'coredns', PROVISIONER];

function addonsOf(cluster: ClusterTopology): string[] {
  return [...ADDONS, ...Object.keys(podNetworkPartsOf(cluster).users)];
}

/** Clusters of real k0s: one `k0s controller --single` each. */
export function createK0sProvider(deps: K0sProviderDeps): ClusterProvider {
  const foundation = (cluster: ClusterTopology): Component[] => [
    { name: K0S, argv: [deps.k0sBinary ?? K0S, ...k0sArguments(cluster)] },
  ];
  const clients = (cluster: ClusterTopology): Component[] =>
    kubernetesClients(cluster).filter(({ name }) => addonsOf(cluster).includes(name));
  const recipe: ClusterRecipe = {
    name: 'k0s',
    privateFolders,
    checkMachine: () => requireBinary(deps.k0sBinary),
    write: async (cluster, launchers) => {
      requireBinary(deps.k0sBinary);
      await createClusterAuthority(cluster, deps.clock.now(), ['admin', ...addonsOf(cluster)]);
      giveAuthority(cluster);
      await writeFiles(cluster, [...foundation(cluster), ...clients(cluster)], { ...deps, launchers });
    },
    foundation,
    clients,
    objects: addonObjects,
    apiServer: K0S,
    kubelet: K0S,
    containerdSocket: K0S_CONTAINERD_SOCKET,
    store: (cluster) => join(k0sDataFolder(cluster), 'db'),
  };
  return createProcessProvider(recipe, deps);
}

function privateFolders(cluster: ClusterTopology): Readonly<Record<string, string>> {
  return { ...K0S_PRIVATE_FOLDERS, ...podNetworkPartsOf(cluster).privateFolders };
}

function requireBinary(path: string | undefined): void {
  if (path !== undefined && existsSync(path)) return;
  const given = path === undefined ? 'there is none' : `there is no ${path}`;
  throw new CodedError(
    'FailedPrecondition',
    `labs of k0s need its binary, and ${given}: put k0s on the PATH or give it as HEADCUT_K0S=/path/to/k0s`,
  );
}

/** k0s keeps an authority that it finds, as its documentation says for custom CAs. */
function giveAuthority(cluster: ClusterTopology): void {
  const { pki } = layoutOf(cluster);
  const target = join(k0sDataFolder(cluster), 'pki');
  mkdirSync(target, { recursive: true });
  for (const file of ['ca.crt', 'ca.key'])
    if (!existsSync(join(target, file))) copyFileSync(join(pki, file), join(target, file));
}

async function writeFiles(
  cluster: ClusterTopology,
  components: readonly Component[],
  { launchers, toolsFolder }: { launchers: LauncherSettings; toolsFolder: string },
): Promise<void> {
  const dropIn = containerdDropIn(cluster, await readContainerdSettings(cluster, toolsFolder));
  writeFileAtomically(
    join(layoutOf(cluster).data, K0S_PRIVATE_FOLDERS['/etc/k0s'], 'containerd.d', 'lab.toml'),
    dropIn,
  );
  writeEtc(cluster, {
    'k0s.yaml': k0sConfiguration(cluster),
    ...STORAGE_FILES,
    ...podNetworkPartsOf(cluster).files,
    'kube-proxy.yaml': kubeProxyConfiguration(cluster),
    Corefile: corefile(cluster),
    'resolv.conf': '# No resolver: a lab reaches nothing outside.\n',
    'namespaces.sh': namespacesScript(cluster, privateFolders(cluster)),
    'holder.sh': holderScript(cluster, launchers),
    ...Object.fromEntries(
      components.map((component) => [`${component.name}.sh`, componentScript(cluster, component, launchers)]),
    ),
  });
  writeOnce(cluster);
}
