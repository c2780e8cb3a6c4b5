import type { Pod } from '../core/kube-objects.ts';
import { isTerminal } from '../core/pod-phase.ts';
import type { Store } from './store.ts';

/** The pods of a store by the address that they have; a pod that has ended has none any more. */
export class PodsByAddress {
  readonly #pods = new Map<string, Pod>();

  /** @param counts which pods are kept; others are as if they were not there */
  constructor(pods: Pick<Store<Pod>, 'onChange'>, counts: (pod: Pod) => boolean = () => true) {
    pods.onChange((_key, after, before) => {
      const pod = after ?? before;
      if (pod !== undefined && counts(pod)) this.#note(after, before);
    });
  }

  get(address: string): Pod | undefined {
    return this.#pods.get(address);
  }

  #note(after: Pod | undefined, before: Pod | undefined): void {
    const known = before?.status?.podIP;
    // Another pod may have the address by now.
    if (known !== undefined && this.#pods.get(known)?.metadata.uid === before?.metadata.uid) this.#pods.delete(known);
    const address = after?.status?.podIP;
    if (after !== undefined && address !== undefined && !isTerminal(after.status)) this.#pods.set(address, after);
  }
}
