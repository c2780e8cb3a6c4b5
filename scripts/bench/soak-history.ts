import type { Pod } from '../../src/core/kube-objects.ts';
import { ORIGIN_UID_LABEL } from '../../src/core/labels.ts';

/** What became of pods in a run, as watches showed it, and what of that must not be. */
export class PodHistory {
  /** The phase in which a pod at home ended, by UID. */
  readonly #ended = new Map<string, string>();
  /** UIDs of the real pods that were made for a pod at home, on all providers, by its UID. */
  readonly #twins = new Map<string, Set<string>>();
  readonly #violations = new Set<string>();

  /** A pod at home, as it is now. */
  home(pod: Pod): void {
    const { uid = '', name } = pod.metadata;
    const phase = pod.status?.phase ?? 'Pending';
    const ended = this.#ended.get(uid);
    if (phase === 'Succeeded' || phase === 'Failed') this.#ended.set(uid, ended ?? phase);
    if (ended !== undefined && ended !== phase)
      this.#violations.add(`pod ${name} (${uid}) was ${ended} and is ${phase}`);
  }

  /** A real pod on a provider. */
  twin(provider: string, pod: Pod): void {
    const origin = pod.metadata.labels?.[ORIGIN_UID_LABEL];
    if (origin === undefined) return;
    const twins = this.#twins.get(origin) ?? new Set();
    this.#twins.set(origin, twins.add(`${provider}/${pod.metadata.uid}`));
    if (twins.size > 1)
      this.#violations.add(
        `pod ${pod.metadata.name} (${origin}) was made ${twins.size} times: ${[...twins].join(', ')}`,
      );
  }

  get pods(): number {
    return this.#twins.size;
  }

  /** Sentences, one for each thing that must not be. */
  get violations(): string[] {
    return [...this.#violations];
  }
}
