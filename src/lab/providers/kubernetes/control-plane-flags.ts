import { join } from 'node:path';
import type { ClusterTopology } from '../../topology.ts';
import { API_PORT, POD_CIDR, SERVICE_ACCOUNT_ISSUER, SERVICE_CIDR } from './cluster-constants.ts';
import { KINE_SOCKET, layoutOf } from './layout.ts';

/** Flags of the control plane, as `k0s controller --single` gives them (k0s: pkg/component/controller). */

export type Flags = Record<string, string>;

/** `--name=value` arguments. */
export function toArguments(flags: Flags): string[] {
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
}

export function kineFlags(cluster: ClusterTopology): Flags {
  const database = join(layoutOf(cluster).store, 'state.db');
  return {
    endpoint: `sqlite://${database}?mode=rwc&_journal=WAL`,
    'listen-address': `unix://${KINE_SOCKET}`,
    'metrics-bind-address': '0',
  };
}

export function apiServerFlags(cluster: ClusterTopology): Flags {
  const pki = (file: string): string => join(layoutOf(cluster).pki, file);
  return {
    'advertise-address': cluster.address,
    'allow-privileged': 'true',
    'anonymous-auth': 'false',
    'api-audiences': SERVICE_ACCOUNT_ISSUER,
    'authorization-mode': 'Node,RBAC',
    'client-ca-file': pki('ca.crt'),
    'enable-admission-plugins': 'NodeRestriction',
    'enable-bootstrap-token-auth': 'true',
    'etcd-servers': `unix://${KINE_SOCKET}`,
    'kubelet-certificate-authority': pki('ca.crt'),
    'kubelet-client-certificate': pki('apiserver-kubelet-client.crt'),
    'kubelet-client-key': pki('apiserver-kubelet-client.key'),
    'kubelet-preferred-address-types': 'InternalIP,ExternalIP,Hostname',
    profiling: 'false',
    'proxy-client-cert-file': pki('front-proxy-client.crt'),
    'proxy-client-key-file': pki('front-proxy-client.key'),
    'requestheader-allowed-names': 'front-proxy-client',
    'requestheader-client-ca-file': pki('front-proxy-ca.crt'),
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-username-headers': 'X-Remote-User',
    'secure-port': String(API_PORT),
    'service-account-issuer': SERVICE_ACCOUNT_ISSUER,
    'service-account-jwks-uri': `${SERVICE_ACCOUNT_ISSUER}/openid/v1/jwks`,
    'service-account-key-file': pki('sa.pub'),
    'service-account-signing-key-file': pki('sa.key'),
    'service-cluster-ip-range': SERVICE_CIDR,
    'tls-cert-file': pki('server.crt'),
    'tls-min-version': 'VersionTLS12',
    'tls-private-key-file': pki('server.key'),
  };
}

export function controllerManagerFlags(cluster: ClusterTopology): Flags {
  const layout = layoutOf(cluster);
  const pki = (file: string): string => join(layout.pki, file);
  const kubeconfig = join(layout.etc, 'kube-controller-manager.kubeconfig');
  return {
    'allocate-node-cidrs': 'true',
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': '127.0.0.1',
    'client-ca-file': pki('ca.crt'),
    'cluster-cidr': POD_CIDR,
    'cluster-name': 'k0s',
    'cluster-signing-cert-file': pki('ca.crt'),
    'cluster-signing-key-file': pki('ca.key'),
    controllers: '*,bootstrapsigner,tokencleaner',
    kubeconfig,
    'leader-elect': 'false',
    'node-cidr-mask-size': '24',
    profiling: 'false',
    'requestheader-client-ca-file': pki('front-proxy-ca.crt'),
    'root-ca-file': pki('ca.crt'),
    'service-account-private-key-file': pki('sa.key'),
    'service-cluster-ip-range': SERVICE_CIDR,
    'terminated-pod-gc-threshold': '12500',
    'use-service-account-credentials': 'true',
  };
}

export function schedulerFlags(cluster: ClusterTopology): Flags {
  const kubeconfig = join(layoutOf(cluster).etc, 'kube-scheduler.kubeconfig');
  return {
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': '127.0.0.1',
    kubeconfig,
    'leader-elect': 'false',
    profiling: 'false',
  };
}
