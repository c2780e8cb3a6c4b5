import { Resolver } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface AskAddressOptions {
  /** Pause between two questions. */
  everyMs: number;
  /** Called once, when the first question was not answered. @param problem as resolvers call it, such as `ECONNREFUSED` */
  onWait?(problem: string): void;
}

/**
 * The IPv4 address of a name; undefined once the nameserver says that there is no such name. As long as it says nothing of the name, it is
 * asked again: after a restart of a machine a pod is there before the agent, and an answer of nobody proves nothing.
 */
export async function askAddress(
  nameserver: string,
  name: string,
  { everyMs, onWait }: AskAddressOptions,
): Promise<string | undefined> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([nameserver]);
  for (let told = false; ; told = true) {
    const { address, problem } = await ask(resolver, name);
    if (address !== undefined || problem === 'ENOTFOUND') return address;
    if (!told) onWait?.(problem);
    await sleep(everyMs);
  }
}

async function ask(resolver: Resolver, name: string): Promise<{ address?: string | undefined; problem: string }> {
  try {
    const [address] = await resolver.resolve4(name);
    return { address, problem: 'ENODATA' };
  } catch (error) {
    return { problem: (error as { code?: string }).code ?? String(error) };
  }
}
