import { kubeYaml } from '../../runtime/kube-yaml.ts';
import { kubectl } from '../kubectl.ts';
import type { LabStep } from '../lab-context.ts';

const NAMESPACE = 'demo';
const REPLICAS = 6;

/** A Deployment on the first cluster whose replicas run on all of them. */
export const demoStep: LabStep = {
  title: 'starting the demo',
  run: async (context) => {
    const home = context.topology.clusters[0]?.name ?? 'a';
    const input = demoManifests()
      .map((object) => kubeYaml(object))
      .join('---\n');
    await kubectl(context, home, ['apply', '--server-side', '-f', '-'], { input });
    await kubectl(context, home, ['-n', NAMESPACE, 'rollout', 'status', 'deployment/demo', '--timeout=90s']);
  },
};

/** The demo's objects, as a user would write them: one label on the namespace is all that is special. */
export function demoManifests(): object[] {
  const labels = { app: 'demo' };
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: NAMESPACE, labels: { 'headcut.dev/offload': 'true' } },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'demo', namespace: NAMESPACE },
      spec: {
        replicas: REPLICAS,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [demoContainer()] } },
      },
    },
  ];
}

function demoContainer(): object {
  return {
    name: 'demo',
    image: 'headcut.dev/demo:0.1.0',
    imagePullPolicy: 'IfNotPresent',
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      // As the consumer calls it: its own node, or the virtual node of the peer that runs the pod.
      { name: 'CLUSTER_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
    ],
    resources: { requests: { cpu: '10m', memory: '16Mi' } },
  };
}
