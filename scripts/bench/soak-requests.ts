import { apply, IMAGE, kubectl, onNode } from './bench-lab.ts';
import { SteadyClient } from './clients.ts';

const CLIENT = 'soak-client';
const READY_WITHIN = '--timeout=180s';

/** A client at home that asks the Service 20 times a second. */
export class SoakRequests implements AsyncDisposable {
  readonly #namespace: string;
  readonly #clients: SteadyClient[] = [];

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  /** Starts the client, or does so anew after a power loss of its machine. */
  async start(): Promise<void> {
    await this.#stop();
    const namespace = this.#namespace;
    const name = `${CLIENT}-${this.#clients.length}-${process.pid}`;
    const container = { name: 'c', image: IMAGE, resources: { requests: { cpu: '1m' } } };
    await apply('a', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name, labels: { app: CLIENT } },
      spec: { ...onNode('a'), terminationGracePeriodSeconds: 0, containers: [container] },
    });
    await kubectl('a', ['-n', namespace, 'wait', `pod/${name}`, '--for=condition=Ready', READY_WITHIN]);
    const address = await kubectl('a', ['-n', namespace, 'get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}']);
    this.#clients.push(new SteadyClient(name, `http://${address}`));
  }

  /** How many requests there were, and how many of them failed. @param since ms since 1970 */
  countSince(since: number): { sent: number; failed: number } {
    const all = this.#clients.map((client) => client.answersSince(since));
    const sum = (of: 'sent' | 'failed'): number => all.reduce((total, answers) => total + answers[of], 0);
    return { sent: sum('sent'), failed: sum('failed') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }

  async #stop(): Promise<void> {
    await this.#clients.at(-1)?.[Symbol.asyncDispose]();
  }
}
