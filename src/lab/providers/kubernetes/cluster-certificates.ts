import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KubeconfigEntry, toKubeconfig } from '../../kubeconfig.ts';
import type { ClusterTopology } from '../../topology.ts';
import {
  type CertificateAuthority,
  type CertificateSubject,
  createCertificateAuthority,
  createServiceAccountKey,
  type KeyAndCertificate,
} from './certificate-authority.ts';
import { API_PORT, CLUSTER_DOMAIN, KUBERNETES_SERVICE_IP } from './cluster-constants.ts';
import { METRICS_SERVER_USER } from './cluster-metrics.ts';
import { PROVISIONER_USERS } from './cluster-storage.ts';
import { layoutOf } from './layout.ts';
import { podNetworkPartsOf } from './pod-networks/pod-network-parts.ts';

/** Who talks to the API server with a certificate of its own: file name → subject. */
export function clientSubjects(cluster: ClusterTopology): Record<string, Omit<CertificateSubject, 'usage'>> {
  return {
    admin: { commonName: 'kubernetes-admin', organization: 'system:masters' },
    'kube-controller-manager': { commonName: 'system:kube-controller-manager' },
    'kube-scheduler': { commonName: 'system:kube-scheduler' },
    'kube-proxy': { commonName: 'system:kube-proxy' },
    coredns: { commonName: 'system:coredns' },
    'metrics-server': { commonName: METRICS_SERVER_USER },
    kubelet: { commonName: `system:node:${cluster.name}`, organization: 'system:nodes' },
    ...PROVISIONER_USERS,
    ...podNetworkPartsOf(cluster).users,
  };
}

/** The API server's serving certificate. */
export function apiServerSubject(cluster: ClusterTopology): CertificateSubject {
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  return {
    commonName: 'kubernetes',
    usage: 'server',
    dnsNames: [...service, `kubernetes.default.svc.${CLUSTER_DOMAIN}`, 'localhost', cluster.name],
    ipAddresses: [cluster.address, KUBERNETES_SERVICE_IP, '127.0.0.1'],
  };
}

/** The kubelet's serving certificate: signed by the cluster's CA, which the API server verifies (logs, exec). */
export function kubeletServingSubject(cluster: ClusterTopology): CertificateSubject {
  return {
    commonName: `system:node:${cluster.name}`,
    organization: 'system:nodes',
    usage: 'server',
    dnsNames: [cluster.name],
    ipAddresses: [cluster.address],
  };
}

/** Makes all keys, certificates and kubeconfigs of a cluster, once. */
export async function createClusterCertificates(cluster: ClusterTopology, nowMs: number): Promise<void> {
  await once(cluster, async () => {
    const ca = await createCertificateAuthority('kubernetes-ca', nowMs);
    await writeControlPlanePairs(cluster, ca, nowMs);
    await writeKubeconfigs(cluster, ca, Object.keys(clientSubjects(cluster)));
  });
}

/**
 * Makes the authority of a cluster that makes its other certificates itself, once, and the kubeconfigs of `users`
 * (names of `clientSubjects`), which are then there before the cluster is.
 */
export async function createClusterAuthority(
  cluster: ClusterTopology,
  nowMs: number,
  users: readonly string[],
): Promise<void> {
  await once(cluster, async () => {
    const ca = await createCertificateAuthority('kubernetes-ca', nowMs);
    writePair(join(layoutOf(cluster).pki, 'ca'), ca);
    await writeKubeconfigs(cluster, ca, users);
  });
}

async function once(cluster: ClusterTopology, make: () => Promise<void>): Promise<void> {
  const { pki, etc } = layoutOf(cluster);
  const marker = join(pki, 'complete');
  if (existsSync(marker)) return;
  for (const folder of [pki, etc]) mkdirSync(folder, { recursive: true });
  await make();
  writeFileSync(marker, '');
}

async function writeControlPlanePairs(
  cluster: ClusterTopology,
  ca: CertificateAuthority,
  nowMs: number,
): Promise<void> {
  const { pki } = layoutOf(cluster);
  const frontProxyCa = await createCertificateAuthority('kubernetes-front-proxy-ca', nowMs);
  writePair(join(pki, 'ca'), ca);
  writePair(join(pki, 'front-proxy-ca'), frontProxyCa);
  const serviceAccount = createServiceAccountKey();
  writeSecret(join(pki, 'sa.key'), serviceAccount.privateKey);
  writeSecret(join(pki, 'sa.pub'), serviceAccount.publicKey);

  const frontProxy = await frontProxyCa.issue({ commonName: 'front-proxy-client', usage: 'client' });
  writePair(join(pki, 'front-proxy-client'), frontProxy);
  writePair(join(pki, 'server'), await ca.issue(apiServerSubject(cluster)));
  writePair(join(pki, 'kubelet-server'), await ca.issue(kubeletServingSubject(cluster)));
  const kubeletClient = { commonName: 'apiserver-kubelet-client', organization: 'system:masters' };
  writePair(join(pki, 'apiserver-kubelet-client'), await ca.issue({ ...kubeletClient, usage: 'client' }));
}

async function writeKubeconfigs(
  cluster: ClusterTopology,
  ca: CertificateAuthority,
  users: readonly string[],
): Promise<void> {
  const { etc, adminKubeconfig } = layoutOf(cluster);
  for (const [name, subject] of Object.entries(clientSubjects(cluster))) {
    if (!users.includes(name)) continue;
    const entry = kubeconfigEntry(cluster, name, ca, await ca.issue({ ...subject, usage: 'client' }));
    writeSecret(name === 'admin' ? adminKubeconfig : join(etc, `${name}.kubeconfig`), toKubeconfig([entry]));
  }
}

function kubeconfigEntry(
  cluster: ClusterTopology,
  user: string,
  ca: CertificateAuthority,
  client: KeyAndCertificate,
): KubeconfigEntry {
  return {
    context: cluster.name,
    user: `${user}@${cluster.name}`,
    server: `https://${cluster.address}:${API_PORT}`,
    certificateAuthority: ca.certificate,
    certificate: client.certificate,
    key: client.key,
  };
}

function writePair(path: string, { key, certificate }: KeyAndCertificate): void {
  writeSecret(`${path}.key`, key);
  writeSecret(`${path}.crt`, certificate);
}

function writeSecret(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}
