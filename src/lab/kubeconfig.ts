import { kubeYaml } from '../runtime/kube-yaml.ts';

/** One user of one cluster; certificates and key in PEM. */
export interface KubeconfigEntry {
  context: string;
  user: string;
  server: string;
  certificateAuthority: string;
  certificate: string;
  key: string;
}

/** A kubeconfig with one context an entry; the first is the current one. */
export function toKubeconfig(entries: readonly KubeconfigEntry[]): string {
  return kubeYaml({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': entries[0]?.context ?? '',
    clusters: entries.map((entry) => ({
      name: entry.context,
      cluster: { server: entry.server, 'certificate-authority-data': base64(entry.certificateAuthority) },
    })),
    users: entries.map((entry) => ({
      name: entry.user,
      user: { 'client-certificate-data': base64(entry.certificate), 'client-key-data': base64(entry.key) },
    })),
    contexts: entries.map((entry) => ({
      name: entry.context,
      context: { cluster: entry.context, user: entry.user },
    })),
  });
}

interface Kubeconfig {
  clusters: unknown[];
  users: unknown[];
  contexts: unknown[];
}

/** All contexts of several parsed kubeconfigs in one; their names must differ. */
export function mergeKubeconfigs(configs: readonly unknown[], currentContext: string): string {
  const parsed = configs as Kubeconfig[];
  return kubeYaml({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': currentContext,
    clusters: parsed.flatMap(({ clusters }) => clusters),
    users: parsed.flatMap(({ users }) => users),
    contexts: parsed.flatMap(({ contexts }) => contexts),
  });
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
