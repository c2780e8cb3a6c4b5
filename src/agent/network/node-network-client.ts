import type { NodeNetworkCall, TunnelReport } from '../../core/network/node-network.ts';
import type { Clock } from '../../runtime/clock.ts';
import { LocalCaller } from '../../runtime/local-http.ts';
import { askBeside } from '../../wire/ask-beside.ts';
import { NETWORK_CALLS } from '../../wire/beside.ts';
import type { ArgumentsOf, ReplyOf } from '../../wire/definition.ts';

type Calls = typeof NETWORK_CALLS;

const WHO = 'the network part of the agent';

/** Asks the process beside us, which may change the node's network. */
export class NodeNetworkClient {
  readonly #caller: LocalCaller;

  constructor(path: string, clock: Clock) {
    this.#caller = new LocalCaller({ path, unavailable: `${WHO} does not answer`, clock });
  }

  get generation(): number {
    return this.#caller.generation;
  }

  /** Throws Unavailable when nobody answers, Internal with what went wrong there. */
  async ask(request: NodeNetworkCall): Promise<TunnelReport | undefined> {
    switch (request.type) {
      case 'apply':
        return this.#call('network', { body: request.network });
      case 'report':
        return (await this.#call('report', {})).report;
      case 'fence':
        await this.#call('fence', { body: request.fence });
        return undefined;
      case 'remove':
        await this.#call('remove', {});
        return undefined;
    }
  }

  /** The networks within a range that the node has routes to beside ours; throws as `ask`. */
  async routes(range: string): Promise<string[]> {
    return (await this.#call('routes', { query: { range } })).routes;
  }

  close(): void {
    this.#caller.close();
  }

  #call<Name extends keyof Calls>(name: Name, asked: ArgumentsOf<Calls[Name]>): Promise<ReplyOf<Calls[Name]>> {
    return askBeside(this.#caller, WHO, NETWORK_CALLS[name], asked);
  }
}
