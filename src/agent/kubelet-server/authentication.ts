import type { TLSSocket } from 'node:tls';
import { CodedError } from '../../core/coded-error.ts';
import { authorizationOf } from '../../core/kubelet-api/kubelet-request.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../runtime/clock.ts';

interface User {
  username: string;
  groups: string[];
}

export interface CallerCheckDeps {
  client: Pick<KubeClient, 'request'>;
  clock: Clock;
}

/** A kubelet keeps answers of these reviews for some time too (webhook cache: 2 min for tokens, 5 min for allowed requests). */
const CACHE_MS = 60_000;
/** A no is asked again sooner: somebody who was just given a right should not wait for long. */
const CACHE_NO_MS = 10_000;
const CACHE_ENTRIES = 1_000;

/** Authenticates and authorises callers of a virtual node's kubelet port as a kubelet does: x509 or TokenReview, then SubjectAccessReview. */
export class CallerCheck {
  readonly #deps: CallerCheckDeps;
  readonly #cache = new Map<string, { until: number; value: unknown }>();

  constructor(deps: CallerCheckDeps) {
    this.#deps = deps;
  }

  /** Throws Unauthenticated or Forbidden. */
  async check(
    node: string,
    socket: TLSSocket,
    call: { method: string; authorization: string | undefined; target: string },
  ): Promise<void> {
    const user = certificateUser(socket) ?? (await this.#tokenUser(call.authorization));
    if (user === undefined) throw new CodedError('Unauthenticated', 'Unauthorized');
    if (user.groups.includes('system:masters')) return;
    const { verb, subresources } = authorizationOf(call.target, call.method);
    for (const subresource of subresources) {
      const allowed = await this.#cached(`sar ${node} ${verb} ${subresource} ${JSON.stringify(user)}`, () =>
        this.#review(user, node, { verb, subresource }),
      );
      if (allowed) return;
    }
    const what = `Forbidden (user=${user.username}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(' ')}])`;
    throw new CodedError('Forbidden', what);
  }

  async #tokenUser(header: string | undefined): Promise<User | undefined> {
    const token = /^Bearer (\S+)$/.exec(header ?? '')?.[1];
    if (token === undefined) return undefined;
    return this.#cached(`token ${token}`, async () => {
      const review = (await this.#deps.client.request('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } },
      })) as { status?: { authenticated?: boolean; user?: { username?: string; groups?: string[] } } };
      const { authenticated, user } = review.status ?? {};
      return authenticated === true && user?.username !== undefined
        ? { username: user.username, groups: user.groups ?? [] }
        : undefined;
    });
  }

  async #review(user: User, name: string, what: { verb: string; subresource: string }): Promise<boolean> {
    const spec = {
      user: user.username,
      groups: user.groups,
      resourceAttributes: { resource: 'nodes', name, version: 'v1', ...what },
    };
    const review = (await this.#deps.client.request('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec },
    })) as { status?: { allowed?: boolean } };
    return review.status?.allowed === true;
  }

  async #cached<T>(key: string, make: () => Promise<T>): Promise<T> {
    const now = this.#deps.clock.monotonic();
    const found = this.#cache.get(key);
    if (found !== undefined && found.until > now) return found.value as T;
    const value = await make();
    if (this.#cache.size >= CACHE_ENTRIES) this.#cache.clear();
    this.#cache.set(key, { until: now + (value ? CACHE_MS : CACHE_NO_MS), value });
    return value;
  }
}

/** The user that a client certificate of the cluster's CA names: CN and all O. */
function certificateUser(socket: TLSSocket): User | undefined {
  if (!socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  if (subject === undefined || subject.CN === undefined) return undefined;
  const groups = subject.O === undefined ? [] : [subject.O].flat();
  return { username: [subject.CN].flat().join(), groups: groups as string[] };
}
