import { kubeYaml } from '../../../runtime/kube-yaml.ts';

/**
 * How a simulated node and its pods come to be what they are said to be, in the words of kwok: which objects a stage is for, after what
 * time, and what their status is then.
 */

/** What a simulated node has. As much as a small machine: scale is in the number of members. */
const NODE_RESOURCES = { cpu: '8', memory: '16Gi', pods: '110', 'ephemeral-storage': '100Gi' };
/** About what a kubelet takes for a pod whose image is there. */
const START_MS = 300;
const START_JITTER_MS = 900;
/** A pod that does not start again when it ends has ended after this. */
const RUN_MS = 3_000;

const NOT_DELETED = { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' };
const inPhase = (phase: string) => ({ key: '.status.phase', operator: 'In', values: [phase] });

interface Stage {
  name: string;
  kind: 'Node' | 'Pod';
  when: object[];
  delay?: { durationMilliseconds: number; jitterDurationMilliseconds?: number };
  next: object;
}

const STAGES: Stage[] = [
  {
    name: 'node-ready',
    kind: 'Node',
    when: [
      { key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: 'NotIn', values: ['True'] },
    ],
    next: { statusTemplate: nodeStatus() },
  },
  {
    name: 'node-heartbeat',
    kind: 'Node',
    when: [{ key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: 'In', values: ['True'] }],
    // The lease says every few seconds that the node is there; a kubelet writes its status every five minutes.
    delay: { durationMilliseconds: 300_000, jitterDurationMilliseconds: 310_000 },
    next: { statusTemplate: nodeStatus() },
  },
  {
    name: 'pod-runs',
    kind: 'Pod',
    when: [NOT_DELETED, inPhase('Pending')],
    delay: { durationMilliseconds: START_MS, jitterDurationMilliseconds: START_JITTER_MS },
    next: { statusTemplate: runningPod() },
  },
  {
    name: 'pod-ends',
    kind: 'Pod',
    when: [
      NOT_DELETED,
      inPhase('Running'),
      { key: '.spec.restartPolicy', operator: 'In', values: ['Never', 'OnFailure'] },
    ],
    delay: { durationMilliseconds: RUN_MS },
    next: { statusTemplate: endedPod() },
  },
  {
    name: 'pod-is-removed',
    kind: 'Pod',
    when: [{ key: '.metadata.deletionTimestamp', operator: 'Exists' }],
    next: { finalizers: { empty: true }, delete: true },
  },
];

/** The configuration file of kwok. */
export function kwokConfiguration(): string {
  return STAGES.map(({ name, kind, when, delay, next }) =>
    kubeYaml({
      apiVersion: 'kwok.x-k8s.io/v1alpha1',
      kind: 'Stage',
      metadata: { name },
      spec: {
        resourceRef: { apiGroup: 'v1', kind },
        selector: { matchExpressions: when },
        ...(delay === undefined ? {} : { delay }),
        next,
      },
    }),
  ).join('---\n');
}

function nodeStatus(): string {
  const resources = Object.entries(NODE_RESOURCES).map(([name, amount]) => `  ${name}: "${amount}"`);
  return `{{ $now := Now }}
conditions:
- type: Ready
  status: "True"
  reason: KubeletReady
  message: simulated
  lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ .metadata.creationTimestamp | Quote }}
addresses:
- type: InternalIP
  address: {{ NodeIP | Quote }}
- type: Hostname
  address: {{ NodeName | Quote }}
daemonEndpoints:
  kubeletEndpoint:
    Port: {{ NodePort }}
capacity:
${resources.join('\n')}
allocatable:
${resources.join('\n')}
nodeInfo:
  architecture: amd64
  operatingSystem: linux
  osImage: kwok
  kernelVersion: kwok
  kubeletVersion: kwok-{{ Version }}
  kubeProxyVersion: ""
  containerRuntimeVersion: kwok://{{ Version }}
  bootID: ""
  machineID: ""
  systemUUID: ""
`;
}

function runningPod(): string {
  const conditions = ['PodReadyToStartContainers', 'Initialized', 'ContainersReady', 'Ready', 'PodScheduled'];
  return `{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
conditions:
${conditions.map((type) => `- type: ${type}\n  status: "True"\n  lastTransitionTime: {{ $now | Quote }}`).join('\n')}
hostIP: {{ NodeIP | Quote }}
hostIPs:
- ip: {{ NodeIP | Quote }}
{{ with PodIPsWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) }}
podIP: {{ index . 0 | Quote }}
podIPs:
- ip: {{ index . 0 | Quote }}
{{ end }}
${containerStatuses(
  true,
  `running:
      startedAt: {{ $now | Quote }}`,
)}`;
}

function endedPod(): string {
  return `{{ $now := Now }}
phase: Succeeded
conditions:
- type: Ready
  status: "False"
  reason: PodCompleted
  lastTransitionTime: {{ $now | Quote }}
- type: ContainersReady
  status: "False"
  reason: PodCompleted
  lastTransitionTime: {{ $now | Quote }}
${containerStatuses(
  false,
  `terminated:
      exitCode: 0
      reason: Completed
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}`,
)}`;
}

/** The same of each container. @param state as YAML, indented for its place */
function containerStatuses(runs: boolean, state: string): string {
  return `containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  containerID: kwok://{{ .name }}
  ready: ${runs}
  started: ${runs}
  restartCount: 0
  state:
    ${state}
{{ end }}
`;
}
