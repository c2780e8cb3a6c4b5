import { CodedError } from '../core/coded-error.ts';
import {
  ACTIONS,
  type AccessAttributes,
  type ActionName,
  NAMESPACE_ACTIONS,
  neededFor,
} from '../core/console/action-rights.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../runtime/clock.ts';

const REVIEWS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
/** Roles change rarely; what is done is decided by the API server in any case. */
const KNOWN_FOR_MS = 60_000;
/** Answers kept; more are asked again sooner. */
const MAX_KNOWN = 1_000;
/** Of so many namespaces it is asked one by one what may be done there. */
const MAX_NAMESPACES = 40;

/** What the user may do, by asking the API server. */
export class Rights {
  readonly #client: Pick<KubeClient, 'request'>;
  readonly #clock: Clock;
  /** The oldest first: all are kept equally long. */
  readonly #known = new Map<string, { allowed: Promise<boolean>; until: number }>();

  constructor(client: Pick<KubeClient, 'request'>, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** How many answers are kept now. */
  get known(): number {
    return this.#known.size;
  }

  /** Whether the API server would let the user make such a request. */
  may(attributes: AccessAttributes): Promise<boolean> {
    const key = JSON.stringify(attributes);
    const now = this.#clock.monotonic();
    this.#dropWhile(({ until }) => until <= now);
    const known = this.#known.get(key);
    if (known !== undefined) return known.allowed;
    const answer = { allowed: this.#ask(attributes), until: now + KNOWN_FOR_MS };
    // An answer that did not come is asked for again.
    answer.allowed.catch(() => this.#known.get(key) === answer && this.#known.delete(key));
    this.#dropWhile(() => this.#known.size >= MAX_KNOWN);
    this.#known.set(key, answer);
    return answer.allowed;
  }

  /** Whether all that an action takes is allowed. */
  async mayDo(action: ActionName, subject: string): Promise<boolean> {
    for (const attributes of neededFor(action, subject)) if (!(await this.may(attributes))) return false;
    return true;
  }

  /** Throws Forbidden where it is not. */
  async require(action: ActionName, subject: string): Promise<void> {
    for (const attributes of neededFor(action, subject)) {
      if (await this.may(attributes)) continue;
      const { verb, resource, subresource, namespace } = attributes;
      const what = `${resource}${subresource === undefined ? '' : `/${subresource}`}`;
      const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
      throw new CodedError(
        'Forbidden',
        `your kubeconfig's user may not ${verb} ${what}${where}, which ${action} takes`,
      );
    }
  }

  /** Actions about members, and those about each namespace. */
  async overview(namespaces: readonly string[]): Promise<{
    actions: ActionName[];
    namespaces: Record<string, ActionName[]>;
  }> {
    const allowed = async (names: readonly ActionName[], subject: string): Promise<ActionName[]> => {
      const answers = await Promise.all(names.map((name) => this.mayDo(name, subject)));
      return names.filter((_, at) => answers[at]);
    };
    const ofMembers = ACTIONS.filter((name) => !NAMESPACE_ACTIONS.includes(name));
    const actions = await allowed(ofMembers, '');
    const byNamespace: Record<string, ActionName[]> = {};
    for (const name of namespaces.slice(0, MAX_NAMESPACES)) byNamespace[name] = await allowed(NAMESPACE_ACTIONS, name);
    return { actions, namespaces: byNamespace };
  }

  #dropWhile(isOld: (answer: { until: number }) => boolean): void {
    for (const [key, answer] of this.#known) {
      if (!isOld(answer)) return;
      this.#known.delete(key);
    }
  }

  async #ask(attributes: AccessAttributes): Promise<boolean> {
    const body = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: attributes },
    };
    const answer = (await this.#client.request('POST', REVIEWS, { body })) as { status?: { allowed?: boolean } };
    return answer.status?.allowed === true;
  }
}
