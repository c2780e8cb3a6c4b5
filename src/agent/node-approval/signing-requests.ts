import type { SigningRequest } from '../../core/virtual-node/judge-request.ts';
import type { KubeConnection } from '../../kube/connection.ts';
import { callPlainly, streamPlainly } from '../../kube/plain-call.ts';
import { readLines } from '../../runtime/lines.ts';
import type { SigningRequests } from './node-approver.ts';

const REQUESTS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const REVIEWS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const PAGE = 100;
/** The API server ends a watch then; it is looked at anew. */
const WATCH_SECONDS = 240;
/** A watch that neither says something nor ends by then is broken. */
const SILENT_MS = (WATCH_SECONDS + 15) * 1_000;
/** Of one event: a request is far below an object's greatest size. */
const LONGEST_EVENT_CHARS = 2 * 1024 * 1024;

interface Page {
  items?: SigningRequest[];
  metadata?: { resourceVersion?: string; continue?: string };
}

/** @param connection that of a pod (in-cluster.ts) */
export function createSigningRequests(connection: KubeConnection): SigningRequests {
  const call = async (method: 'GET' | 'PUT' | 'POST', path: string, body?: object) => {
    const answer = await callPlainly(connection, { method, path, ...(body === undefined ? {} : { body }) });
    // Gone, or somebody else was first: the next event tells.
    if (answer.status >= 300 && answer.status !== 404 && answer.status !== 409)
      throw new Error(`the API server answered ${answer.status} to ${path}: ${messageIn(answer.body)}`);
    return answer;
  };
  return {
    async *follow(signal) {
      let next = '';
      let version = '';
      do {
        const path = `${REQUESTS}?limit=${PAGE}${next === '' ? '' : `&continue=${encodeURIComponent(next)}`}`;
        const { items = [], metadata = {} } = (await call('GET', path)).body as Page;
        yield* items;
        next = metadata.continue ?? '';
        version = metadata.resourceVersion ?? '';
      } while (next !== '');
      const path = `${REQUESTS}?watch=true&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${encodeURIComponent(version)}`;
      const inTime = AbortSignal.any([signal, AbortSignal.timeout(SILENT_MS)]);
      const answer = await streamPlainly(connection, path, inTime);
      for await (const line of readLines(answer, LONGEST_EVENT_CHARS)) {
        const { type, object } = JSON.parse(line) as { type: string; object: SigningRequest };
        if (type === 'ERROR') return;
        if (type !== 'DELETED') yield object;
      }
    },
    async labelsOfNode(name) {
      const { status, body } = await call('GET', `/api/v1/nodes/${encodeURIComponent(name)}`);
      if (status === 404) return undefined;
      return (body as { metadata?: { labels?: Record<string, string> } }).metadata?.labels ?? {};
    },
    async mayApprove(name) {
      const resourceAttributes = { group: 'certificates.k8s.io', resource: 'signers', verb: 'approve', name };
      const review = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes },
      };
      const { body } = await call('POST', REVIEWS, review);
      return (body as { status?: { allowed?: boolean } }).status?.allowed === true;
    },
    async decide(request) {
      const body = { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest', ...request };
      await call('PUT', `${REQUESTS}/${encodeURIComponent(request.metadata.name)}/approval`, body);
    },
  };
}

function messageIn(body: unknown): string {
  const { message } = (body ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message.slice(0, 200) : '';
}
