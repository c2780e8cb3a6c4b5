/** The part of the kubelet's HTTP API that a virtual node serves (pkg/kubelet/server/server.go), as values. */

export type StreamAction = 'exec' | 'attach' | 'portforward';

export type KubeletRequest =
  | { type: 'logs'; namespace: string; pod: string; container: string; query: URLSearchParams }
  | {
      type: 'stream';
      action: StreamAction;
      namespace: string;
      pod: string;
      container: string | undefined;
      query: URLSearchParams;
    }
  | { type: 'pods' }
  | { type: 'running-pods' }
  | { type: 'summary'; onlyCpuAndMemory: boolean }
  | { type: 'resource-metrics' }
  | { type: 'healthz' }
  | { type: 'unknown'; path: string };

const LOG_PARAMETERS = [
  'follow',
  'previous',
  'timestamps',
  'sinceSeconds',
  'sinceTime',
  'tailLines',
  'limitBytes',
  'stream',
];

/** The kubelet's names of stream flags, and the API server's. */
const STREAM_FLAGS: Record<string, string> = { input: 'stdin', output: 'stdout', error: 'stderr', tty: 'tty' };

/** What a request asks for. @param target path and query as in the request line */
export function parseKubeletRequest(target: string): KubeletRequest {
  const url = new URL(target, 'https://kubelet');
  const [root = '', ...segments] = url.pathname.split('/').slice(1).map(decodeURIComponent);
  const [namespace, pod] = segments;
  if (root === 'healthz') return { type: 'healthz' };
  if (root === 'pods') return { type: 'pods' };
  if (root === 'runningpods') return { type: 'running-pods' };
  if (root === 'stats' && (namespace === 'summary' || namespace === undefined || namespace === ''))
    return { type: 'summary', onlyCpuAndMemory: isTrue(url.searchParams.get('only_cpu_and_memory')) };
  if (root === 'metrics' && namespace === 'resource') return { type: 'resource-metrics' };
  const unknown: KubeletRequest = { type: 'unknown', path: url.pathname };
  if (namespace === undefined || pod === undefined) return unknown;
  // With the pod's UID in the path there is one segment more.
  const container = segments.length > 2 ? segments.at(-1) : undefined;
  switch (root) {
    case 'containerLogs':
      return container === undefined
        ? unknown
        : { type: 'logs', namespace, pod, container, query: only(url.searchParams, LOG_PARAMETERS) };
    case 'exec':
    case 'attach':
      return { type: 'stream', action: root, namespace, pod, container, query: streamQuery(url.searchParams) };
    case 'portForward':
      return {
        type: 'stream',
        action: 'portforward',
        namespace,
        pod,
        container: undefined,
        query: portQuery(url.searchParams),
      };
    default:
      return unknown;
  }
}

/** Of what another member asks the API server here about logs, what a kubelet is asked too: nothing that speaks of the way there. */
export function allowedLogQuery(query: URLSearchParams): URLSearchParams {
  return only(query, LOG_PARAMETERS);
}

const STREAM_PARAMETERS = ['stdin', 'stdout', 'stderr', 'tty', 'command', 'container', 'ports'];

/** The same for exec, attach and port-forward. */
export function allowedStreamQuery(query: URLSearchParams): URLSearchParams {
  return only(query, STREAM_PARAMETERS);
}

function only(query: URLSearchParams, names: readonly string[]): URLSearchParams {
  return new URLSearchParams([...query].filter(([name]) => names.includes(name)));
}

function streamQuery(query: URLSearchParams): URLSearchParams {
  const result = new URLSearchParams();
  for (const [name, value] of query) {
    const flag = STREAM_FLAGS[name];
    if (flag !== undefined && (value === '1' || value === 'true')) result.set(flag, 'true');
    else if (name === 'command') result.append('command', value);
  }
  return result;
}

function portQuery(query: URLSearchParams): URLSearchParams {
  return new URLSearchParams(query.getAll('port').map((port): [string, string] => ['ports', port]));
}

/** As Go's strconv.ParseBool, which the kubelet asks. */
function isTrue(text: string | null): boolean {
  return text !== null && /^(1|t|true)$/i.test(text);
}

const VERBS: Record<string, string> = { POST: 'create', GET: 'get', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

/** Path prefixes with rights of their own, and the right that each asks for besides (or instead of) `proxy`. */
const FINE_GRAINED: Record<string, string[]> = {
  pods: ['pods', 'proxy'],
  runningpods: ['pods', 'proxy'],
  healthz: ['healthz', 'proxy'],
  configz: ['configz', 'proxy'],
  stats: ['stats'],
  metrics: ['metrics'],
  logs: ['log'],
  checkpoint: ['checkpoint'],
  statusz: ['statusz'],
  flagz: ['configz'],
};

/**
 * What a kubelet asks whether a caller may do (pkg/kubelet/server/auth.go, KubeletFineGrainedAuthz): any one of the
 * subresources of `nodes` is enough. @param target path and query as in the request line
 */
export function authorizationOf(target: string, method: string): { verb: string; subresources: string[] } {
  const [root = ''] = new URL(target, 'https://kubelet').pathname.split('/').slice(1);
  return { verb: VERBS[method] ?? '', subresources: FINE_GRAINED[root] ?? ['proxy'] };
}
