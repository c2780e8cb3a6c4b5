import { KubeConfig } from '@kubernetes/client-node';
import { CodedError } from '../core/coded-error.ts';
import type { KubeConnection } from './connection.ts';

/**
 * The connection that a kubeconfig names, as kubectl would choose it.
 * Static certificates and tokens only are carried over; exec plugins are asked once, now.
 * @param options.path a kubeconfig; the default is KUBECONFIG, then ~/.kube/config
 */
export async function kubeconfigConnection(options: {
  path?: string | undefined;
  context?: string | undefined;
}): Promise<KubeConnection & { namespace?: string | undefined }> {
  const config = loadKubeconfig(options.path);
  if (options.context !== undefined) {
    if (config.getContextObject(options.context) === null) {
      const known = config.getContexts().map((context) => context.name);
      throw new CodedError(
        'InvalidArgument',
        `no context "${options.context}" in the kubeconfig; it has: ${known.join(', ')}`,
      );
    }
    config.setCurrentContext(options.context);
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    throw new CodedError('InvalidArgument', 'the kubeconfig has no current context; give --context or --kubeconfig');
  const tls: { ca?: unknown; cert?: unknown; key?: unknown; headers?: Record<string, string> } = {};
  await config.applyToHTTPSOptions(tls);
  const bearer = tls.headers?.Authorization;
  return {
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    server: cluster.server.replace(/\/+$/, ''),
    ca: asText(tls.ca),
    cert: asText(tls.cert),
    key: asText(tls.key),
    token: bearer?.startsWith('Bearer ') === true ? bearer.slice('Bearer '.length) : undefined,
    skipTlsVerify: cluster.skipTLSVerify,
    tlsServerName: cluster.tlsServerName,
  };
}

function asText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return Buffer.isBuffer(value) ? value.toString('utf8') : String(value);
}

/** The names of all contexts. */
export function kubeconfigContexts(path?: string): string[] {
  return loadKubeconfig(path)
    .getContexts()
    .map((context) => context.name);
}

function loadKubeconfig(path: string | undefined): KubeConfig {
  const config = new KubeConfig();
  if (path === undefined) config.loadFromDefault();
  else config.loadFromFile(path);
  return config;
}
