import { readFile } from 'node:fs/promises';
import { FENCE_TABLE, type NodeFence } from '../../core/network/node-fence.ts';
import { LINK } from '../../core/network/node-network.ts';
import { FENCE_FAMILIES, type FencedNode, planFence, planFenceRemoval } from '../../core/network/plan-fence.ts';
import type { Clock } from '../../runtime/clock.ts';
import { execute } from '../../runtime/command.ts';
import type { Logger } from '../../runtime/logger.ts';
import { RuleTables } from './packet-rules.ts';

/** More links than this lead to pods one by one, and are no bridge. */
const MAX_POD_LINKS = 256;

export interface FenceRulesDeps {
  clock: Pick<Clock, 'now'>;
  logger: Logger;
}

/** The tables of the fence on this node, one a family: a kernel without rules for bridges or for IPv6 has the others. */
export class FenceRules {
  readonly #deps: FenceRulesDeps;
  readonly #tables = FENCE_FAMILIES.map((family) => ({
    family,
    rules: new RuleTables(FENCE_TABLE, [family], planFenceRemoval(family)),
  }));
  readonly #told = new Set<string>();

  constructor(deps: FenceRulesDeps) {
    this.#deps = deps;
  }

  /** Replaces the tables that are not as wanted. True when it wrote. */
  async apply(fence: NodeFence): Promise<boolean> {
    const plan = planFence(fence, await readFencedNode(fence.podCidr, this.#deps.clock.now()));
    let wrote = false;
    for (const { family, rules } of this.#tables)
      try {
        wrote = (await rules.apply(plan[family])) || wrote;
      } catch (error) {
        // What holds most of it is not done without.
        if (family === 'ip') throw error;
        this.#tellOnce(family, error);
      }
    return wrote;
  }

  async remove(): Promise<void> {
    for (const { rules } of this.#tables) await rules.remove();
  }

  #tellOnce(family: string, error: unknown): void {
    if (this.#told.has(family)) return;
    this.#told.add(family);
    this.#deps.logger.warn({ family, err: error }, 'part of what is closed to guests cannot be held by this kernel');
  }
}

/** How often the tables are written anew for their time alone, and for how long they hold at least when nobody does. */
const RENEW_EVERY_MS = 5 * 60_000;
const HOLDS_FOR_MS = 10 * 60_000;

async function readFencedNode(podCidr: string, now: number): Promise<FencedNode> {
  const routes = await execute(['ip', '-json', '-4', 'route', 'show', 'root', podCidr]);
  const found = routes.trim() === '' ? [] : (JSON.parse(routes) as { dev?: string }[]);
  const links = new Set(found.flatMap(({ dev }) => (dev === undefined || dev === LINK || dev === 'lo' ? [] : [dev])));
  const calls = await readFile('/proc/sys/net/bridge/bridge-nf-call-iptables', 'utf8').catch(() => '0');
  const lapsesAt = (Math.ceil((now + HOLDS_FOR_MS) / RENEW_EVERY_MS) * RENEW_EVERY_MS) / 1_000;
  return { lapsesAt, podLinks: [...links].sort().slice(0, MAX_POD_LINKS), bridgedPacketsPass: calls.trim() === '1' };
}
