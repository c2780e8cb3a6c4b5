import { join } from 'node:path';
import type { ClusterTopology } from '../../topology.ts';

/** Where local-path-provisioner makes volumes. */
export const VOLUMES_FOLDER = '/opt/local-path-provisioner';

/** Where the files of one cluster are. */
export interface ClusterLayout {
  folder: string;
  pki: string;
  /** Configuration files and launchers: how every process is started, for anyone who wants to know. */
  etc: string;
  logs: string;
  /** Process IDs. */
  run: string;
  data: string;
  /** What the API server stores; a disk of its own, so that it can be full. */
  store: string;
  adminKubeconfig: string;
}

export function layoutOf(cluster: ClusterTopology): ClusterLayout {
  const { folder } = cluster;
  return {
    folder,
    pki: join(folder, 'pki'),
    etc: join(folder, 'etc'),
    logs: join(folder, 'logs'),
    run: join(folder, 'run'),
    data: join(folder, 'data'),
    store: join(folder, 'data', 'store'),
    adminKubeconfig: join(folder, 'kubeconfig'),
  };
}

/** Folders of the machine that each cluster has for itself, and where in its `data` they really are. */
export const PRIVATE_FOLDERS = {
  '/var/lib/kubelet': 'kubelet',
  '/var/lib/containerd': 'containerd',
  '/var/lib/cni': 'cni',
  [VOLUMES_FOLDER]: 'volumes',
  '/var/log/pods': 'pod-logs',
  '/var/log/containers': 'container-logs',
} as const;

/** Sockets lie in /run, which each cluster has for itself too: short, because socket paths have at most 107 characters. */
export const KINE_SOCKET = '/run/kine.sock';
export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';
