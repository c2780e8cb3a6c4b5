import { CodedError } from '../../core/coded-error.ts';
import type { NodeNetworkAnswer, NodeNetworkCall, TunnelReport } from '../../core/network/node-network.ts';
import type { Clock } from '../../runtime/clock.ts';
import { LineRequests } from '../../runtime/line-requests.ts';

/** An answer takes a few commands of a few milliseconds; a loaded machine gets some more. */
const ANSWER_WITHIN_MS = 20_000;

/** Asks the process beside us, which may change the node's network. */
export class NodeNetworkClient {
  readonly #requests: LineRequests;

  constructor(path: string, clock: Clock) {
    const unavailable = 'the network part of the agent does not answer';
    this.#requests = new LineRequests({ path, answerWithinMs: ANSWER_WITHIN_MS, unavailable, clock });
  }

  get generation(): number {
    return this.#requests.generation;
  }

  /** Throws Unavailable when nobody answers, Internal with what went wrong there. */
  async ask(request: NodeNetworkCall): Promise<TunnelReport | undefined> {
    return (await this.#ask(request)).report;
  }

  /** The networks within a range that the node has routes to beside ours; throws as `ask`. */
  async routes(range: string): Promise<string[]> {
    return (await this.#ask({ type: 'routes', range })).routes ?? [];
  }

  async #ask(request: NodeNetworkCall): Promise<NodeNetworkAnswer & { ok: true }> {
    const answer = JSON.parse(await this.#requests.ask(JSON.stringify(request))) as NodeNetworkAnswer;
    if (answer.ok) return answer;
    throw new CodedError('Internal', `the network part of the agent failed: ${answer.message}`);
  }

  close(): void {
    this.#requests.close();
  }
}
