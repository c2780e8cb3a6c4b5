import { loggingContainer, RUN_LOG_VOLUME } from '../../test/e2e/run-log.ts';
import { apply, deployment, IMAGE, kubectl, onNode } from './bench-lab.ts';

export const WEB_REPLICAS = 6;
/** What must never run twice at once, one pod each. */
export const SINGLETONS = ['db1', 'db2'];
/** So short that many faults are longer. */
const FENCING_AFTER = '15s';
const JOB_PODS = 2;
const JOB_RUNS_S = 3;
const CLUSTERS = ['a', 'b', 'c'];

/** What the container logs of a singleton are found by. */
export function markOf(namespace: string, name: string): string {
  return `${namespace}-${name}`;
}

export async function makeWorkload(namespace: string): Promise<void> {
  const web = { app: 'web' };
  await apply(
    'a',
    deployment({ namespace, name: 'web' }, WEB_REPLICAS),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace, name: 'web' },
      spec: { selector: web, ports: [{ port: 80, targetPort: 8080 }] },
    },
    ...SINGLETONS.map((name) => singleton(namespace, name)),
  );
  for (const cluster of CLUSTERS) await makeForeign(cluster, foreignNamespace(namespace));
}

export async function makeJob(namespace: string, name: string): Promise<void> {
  const container = {
    name: 'c',
    image: IMAGE,
    command: ['sleep', String(JOB_RUNS_S)],
    resources: { requests: { cpu: '1m' } },
  };
  await apply('a', {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { namespace, name },
    spec: {
      completions: JOB_PODS,
      parallelism: JOB_PODS,
      // A lost peer costs a try.
      backoffLimit: 20,
      template: { metadata: { labels: { app: 'job' } }, spec: { restartPolicy: 'Never', containers: [container] } },
    },
  });
}

/** Objects that are none of headcut's business, as one text: what changes it touched them. */
export async function lookAtForeign(namespace: string): Promise<string> {
  const looks = CLUSTERS.map(async (cluster) => {
    const at = ['-n', foreignNamespace(namespace), 'get'];
    const map = await kubectl(cluster, [...at, 'configmap', 'mine', '-o', 'jsonpath={.metadata.resourceVersion}']);
    const pods = await kubectl(cluster, [...at, 'pods', '-o', 'jsonpath={.items[*].metadata.uid}']);
    return `${cluster}: ConfigMap at ${map}, pods ${pods}`;
  });
  return (await Promise.all(looks)).join('\n');
}

export async function removeForeign(namespace: string): Promise<void> {
  for (const cluster of CLUSTERS)
    await kubectl(cluster, ['delete', 'namespace', foreignNamespace(namespace), '--wait=false', '--ignore-not-found']);
}

function foreignNamespace(namespace: string): string {
  return `${namespace}-foreign`;
}

async function makeForeign(cluster: string, namespace: string): Promise<void> {
  await apply(
    cluster,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name: 'mine' }, data: { key: 'value' } },
    deployment({ namespace, name: 'web' }, 1, onNode(cluster)),
  );
  await kubectl(cluster, ['-n', namespace, 'rollout', 'status', 'deployment/web', '--timeout=120s']);
}

function singleton(namespace: string, name: string): object {
  const labels = { app: name };
  const template = {
    metadata: { labels, annotations: { 'headcut.dev/fencing-after': FENCING_AFTER } },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'c',
          image: IMAGE,
          resources: { requests: { cpu: '1m' } },
          ...loggingContainer(markOf(namespace, name)),
        },
      ],
      volumes: [RUN_LOG_VOLUME],
    },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { namespace, name },
    spec: { serviceName: name, replicas: 1, selector: { matchLabels: labels }, template },
  };
}
