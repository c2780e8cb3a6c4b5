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
  if (root === 'pods' || root === 'runningpods') return { type: 'pods' };
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

/** The attributes with which a kubelet asks whether a caller may do this (pkg/kubelet/server/auth.go). */
export function authorizationOf(request: KubeletRequest, method: string): { verb: string; subresource: string } {
  const verbs: Record<string, string> = {
    POST: 'create',
    GET: 'get',
    HEAD: 'get',
    PUT: 'update',
    PATCH: 'patch',
    DELETE: 'delete',
  };
  const subresource = request.type === 'pods' ? 'pods' : request.type === 'healthz' ? 'healthz' : 'proxy';
  return { verb: verbs[method] ?? 'get', subresource };
}
