import { messageOf } from '../../core/coded-error.ts';
import type { Diagnosis, EndpointReach, Outcome, PeerDiagnosis } from '../../core/diagnosis/diagnosis.ts';
import type { CallHandlers } from '../../peering/serving.ts';
import { createCachedCall } from '../../runtime/cached-call.ts';
import type { Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import type { PeerInspection, PeerInspector } from '../ports.ts';

export interface DiagnoserDeps {
  peers: PeerInspector;
  /** Sends a datagram as large as the tunnel to the peer makes them, a few times at most; undefined where there is no way by UDP. */
  probeFullSize(peerId: string, signal: AbortSignal): Promise<{ bytes: number; answered: boolean } | undefined>;
  /** Asks this cluster's DNS for a name that is there always; throws when it does not answer. */
  askDns(signal: AbortSignal): Promise<void>;
  clock: Clock;
}

/** Whoever looks waits for the slowest of these. Longer than a try to connect (DIAL_WITHIN_MS), whose failure is what is looked for. */
const LOOK_WITHIN_MS = 5_000;
/** Everybody on the node's network may ask: that must not become a way to make the agent dial all the time. */
const KEPT_MS = 3_000;

/** Looks for what stands between this member and its peers, when somebody asks; by itself it does nothing. */
export class Diagnoser {
  readonly #deps: DiagnoserDeps;
  readonly #look: (key: string) => Promise<Diagnosis>;
  readonly #reach: (peerId: string) => Promise<EndpointReach[]>;

  constructor(deps: DiagnoserDeps) {
    this.#deps = deps;
    const options = { ttlMs: KEPT_MS, clock: deps.clock };
    this.#look = createCachedCall(() => this.#lookNow(), options);
    this.#reach = createCachedCall((peerId) => this.#within((signal) => deps.peers.reach(peerId, signal)), options);
  }

  /** What peers ask about the way to them. */
  get calls(): Pick<CallHandlers, 'reach'> {
    return { reach: async ({ peerId }) => ({ endpoints: await this.reach(peerId) }) };
  }

  look(): Promise<Diagnosis> {
    return this.#look('');
  }

  /** How this member reaches the endpoints of a peer: asked by that peer too, which cannot see it from where it is. */
  reach(peerId: string): Promise<EndpointReach[]> {
    return this.#reach(peerId);
  }

  async #lookNow(): Promise<Diagnosis> {
    const [dns, ...peers] = await Promise.all([
      this.#lookAtDns(),
      ...this.#deps.peers.list().map((peer) => this.#lookAt(peer)),
    ]);
    return { dns, peers };
  }

  async #lookAtDns(): Promise<Outcome> {
    try {
      await this.#within((signal) => this.#deps.askDns(signal));
      return { ok: true };
    } catch (error) {
      return { ok: false, problem: messageOf(error) };
    }
  }

  async #lookAt({ id, ...peer }: PeerInspection): Promise<PeerDiagnosis> {
    const { peers, probeFullSize } = this.#deps;
    const [outward, inward, fullSize] = await Promise.all([
      this.reach(id).catch((error): EndpointReach[] => [
        { endpoint: 'its endpoints', ok: false, problem: messageOf(error) },
      ]),
      this.#within((signal) => peers.askReach(id, signal)).catch(() => undefined),
      this.#within((signal) => probeFullSize(id, signal)).catch(() => undefined),
    ]);
    return { ...peer, outward, inward, fullSize };
  }

  #within<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withDeadline(this.#deps.clock, { ms: LOOK_WITHIN_MS }, work);
  }
}
