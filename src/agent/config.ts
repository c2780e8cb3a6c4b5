import { CodedError } from '../core/coded-error.ts';
import { PEER_PORT } from '../core/labels.ts';

/** Settings of the agent's process; what concerns the member itself is in the Federation object. */
export interface AgentConfig {
  /** The node that the agent runs on; the default name of the member. */
  nodeName: string;
  /** Where the API server and other members reach the agent. */
  hostIp: string;
  namespace: string;
  serviceAccount: string;
  logLevel: string;
  peerPort: number;
  healthPort: number;
  /** UDP, for probes of the pod network (core/network/plan-nft). */
  probePort: number;
  /** The folder shared with the process that changes the node's network. */
  networkFolder: string;
  /** What a new process of this agent has to know of the one before, and the API server need not. */
  stateFolder: string;
  /** The folder of the node in which the guard of fenced pods has its socket. */
  fenceFolder: string;
  podName: string;
  /** Where offloaded pods reach this agent's nameserver and the way to their home's API server (by Services of the manifests). */
  dnsPort: number;
  homeApiPort: number;
  /** Where the API server reaches the admission webhook, if it needs one. */
  webhookPort: number;
  /** First port to try for the kubelet servers of virtual nodes. */
  firstKubeletPort: number;
}

/** Reads the environment that manifests/50-agent.yaml sets. Throws InvalidArgument that names what is missing. */
export function readAgentConfig(env: Record<string, string | undefined>): AgentConfig {
  return {
    nodeName: required(env, 'NODE_NAME'),
    hostIp: required(env, 'HOST_IP'),
    namespace: env.POD_NAMESPACE ?? 'headcut-system',
    serviceAccount: env.SERVICE_ACCOUNT ?? 'headcut',
    logLevel: env.LOG_LEVEL ?? 'info',
    peerPort: port(env, 'PEER_PORT', PEER_PORT),
    healthPort: port(env, 'HEALTH_PORT', 7444),
    probePort: port(env, 'PROBE_PORT', 7445),
    networkFolder: env.NETWORK_FOLDER ?? '/run/headcut-network',
    stateFolder: env.STATE_FOLDER ?? '/run/headcut',
    fenceFolder: env.FENCE_FOLDER ?? '/run/headcut-fence',
    podName: env.POD_NAME ?? '',
    dnsPort: port(env, 'DNS_PORT', 7446),
    homeApiPort: port(env, 'HOME_API_PORT', 7447),
    webhookPort: port(env, 'WEBHOOK_PORT', 7448),
    firstKubeletPort: port(env, 'KUBELET_PORT', 10260),
  };
}

function required(env: Record<string, string | undefined>, name: string): string {
  const value = env[name];
  if (value === undefined || value === '')
    throw new CodedError('InvalidArgument', `the environment variable ${name} is missing; see manifests/50-agent.yaml`);
  return value;
}

function port(env: Record<string, string | undefined>, name: string, fallback: number): number {
  const value = env[name] === undefined ? fallback : Number(env[name]);
  if (!Number.isInteger(value) || value < 1 || value > 65_535)
    throw new CodedError('InvalidArgument', `${name} must be a port, not "${env[name]}"`);
  return value;
}
