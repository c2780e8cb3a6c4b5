import type { SentEndpoint, SentServicePort } from '../../../src/core/service/sent-service.ts';
import type { SourceExport, ToldExport } from '../../../src/core/sharing/told-export.ts';

/** IDs of members, and the prefixes of their images. */
export const A = 'a'.repeat(52);
export const B = 'b'.repeat(52);
export const C = 'c'.repeat(52);

export const tcp = (port: number, name?: string): SentServicePort => ({
  ...(name === undefined ? {} : { name }),
  port,
  protocol: 'TCP',
});

export const endpoint = (address: string, more: Partial<SentEndpoint> = {}): SentEndpoint => ({
  address,
  ready: true,
  serving: true,
  terminating: false,
  ...more,
});

/** Service `shop/web`, exported at second `since`. */
export const told = (more: Partial<ToldExport> = {}): ToldExport => ({
  namespace: 'shop',
  name: 'web',
  since: 1_000,
  type: 'ClusterSetIP',
  ports: [tcp(80, 'http')],
  internalTrafficPolicy: 'Cluster',
  ipFamilies: ['IPv4'],
  labels: {},
  annotations: {},
  endpoints: [],
  ...more,
});

export const source = (cluster: string, more: Partial<ToldExport> = {}): SourceExport => ({
  cluster,
  clusterName: cluster.slice(0, 1),
  told: told(more),
});
