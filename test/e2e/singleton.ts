import { podSpec } from './lab.ts';
import { loggingContainer, RUN_LOG_VOLUME } from './run-log.ts';

/** First on the virtual node of that cluster, and elsewhere when that is lost. */
export function preferring(cluster: string): object {
  const expression = { key: 'kubernetes.io/hostname', operator: 'In', values: [`headcut-${cluster}`] };
  const term = { weight: 100, preference: { matchExpressions: [expression] } };
  return { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [term] } };
}

/** A StatefulSet `db` of one pod, which is first on `cluster`; `followRunLogs(namespace)` tells when it ran. */
export function singleton(namespace: string, fencingAfter: string, cluster: string): object {
  const labels = { app: 'db' };
  const metadata = { labels, annotations: { 'headcut.dev/fencing-after': fencingAfter } };
  const spec = podSpec({ affinity: preferring(cluster), volumes: [RUN_LOG_VOLUME] }, loggingContainer(namespace));
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace },
    spec: { serviceName: 'db', replicas: 1, selector: { matchLabels: labels }, template: { metadata, spec } },
  };
}
