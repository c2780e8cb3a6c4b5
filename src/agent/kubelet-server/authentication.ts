import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { CodedError } from '../../core/coded-error.ts';
import { authorizationOf } from '../../core/kubelet-api/kubelet-request.ts';
import { type Bucket, type RateLimit, takeToken } from '../../core/rate-limit.ts';
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
/** Tokens that nobody was known by, in a cache and at a rate of their own: each is a review by the API server. */
const MAX_REFUSED_TOKENS = 200;
/** Those of ServiceAccounts have about a thousand. */
const MAX_TOKEN_CHARS = 16_384;
const NEW_TOKENS: RateLimit = { perSecond: 5, burst: 50 };

/** Authenticates and authorises callers of a virtual node's kubelet port as a kubelet does: x509 or TokenReview, then SubjectAccessReview. */
export class CallerCheck {
  readonly #deps: CallerCheckDeps;
  readonly #cache = new Map<string, { until: number; value: unknown }>();
  readonly #users = new Map<string, { until: number; value: User }>();
  readonly #refused = new Map<string, { until: number; value: undefined }>();
  #bucket: Bucket | undefined;

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
    // Tokens are not kept, and a long one costs no more than another.
    const key = createHash('sha256').update(token).digest('base64');
    const now = this.#deps.clock.monotonic();
    const known = this.#users.get(key) ?? this.#refused.get(key);
    if (known !== undefined && known.until > now) return known.value;
    if (token.length > MAX_TOKEN_CHARS) return undefined;
    const wasKnown = this.#users.delete(key);
    if (!wasKnown) this.#takeToken(now);
    const user = await this.#reviewToken(token);
    if (user === undefined)
      keep(this.#refused, key, { until: now + CACHE_NO_MS, value: undefined }, MAX_REFUSED_TOKENS);
    else keep(this.#users, key, { until: now + CACHE_MS, value: user }, CACHE_ENTRIES);
    return user;
  }

  /** Throws ResourceExhausted: a stranger's tokens take no time of those who were known a minute ago. */
  #takeToken(now: number): void {
    const next = takeToken(NEW_TOKENS, this.#bucket, now);
    if (next === undefined) throw new CodedError('ResourceExhausted', 'too many tokens that are not known; try again');
    this.#bucket = next;
  }

  async #reviewToken(token: string): Promise<User | undefined> {
    const review = (await this.#deps.client.request('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } },
    })) as { status?: { authenticated?: boolean; user?: { username?: string; groups?: string[] } } };
    const { authenticated, user } = review.status ?? {};
    return authenticated === true && user?.username !== undefined
      ? { username: user.username, groups: user.groups ?? [] }
      : undefined;
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
    keep(this.#cache, key, { until: now + (value ? CACHE_MS : CACHE_NO_MS), value }, CACHE_ENTRIES);
    return value;
  }
}

/** Beside the newest ones; the oldest goes. */
function keep<T>(cache: Map<string, T>, key: string, entry: T, limit: number): void {
  const [oldest] = cache.keys();
  if (cache.size >= limit && oldest !== undefined) cache.delete(oldest);
  cache.set(key, entry);
}

/** The user that a client certificate of the cluster's CA names: CN and all O. */
function certificateUser(socket: TLSSocket): User | undefined {
  if (!socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  if (subject === undefined || subject.CN === undefined) return undefined;
  const groups = subject.O === undefined ? [] : [subject.O].flat();
  return { username: [subject.CN].flat().join(), groups: groups as string[] };
}
