import { LINK, NFT_TABLE, type NodeNetwork } from '../../core/network/node-network.ts';
import {
  FRAME_FAMILIES,
  type PodBridge,
  planGuestFrames,
  planGuestFramesRemoval,
} from '../../core/network/plan-guest-frames.ts';
import { execute } from '../../runtime/command.ts';
import type { Logger } from '../../runtime/logger.ts';
import { RuleTables } from './packet-rules.ts';

/** More links than this lead to pods one by one, and are no bridge. */
const MAX_POD_LINKS = 4;

/** The tables that take frames of guests off the bridge; a kernel without such rules bridges them as before. */
export class GuestFrames {
  readonly #logger: Logger;
  readonly #tables = FRAME_FAMILIES.map((family) => ({
    family,
    rules: new RuleTables(NFT_TABLE, [family], planGuestFramesRemoval(family)),
  }));
  readonly #told = new Set<string>();

  constructor({ logger }: { logger: Logger }) {
    this.#logger = logger;
  }

  /** Replaces the tables that are not as wanted. @returns whether all is held */
  async apply({ homes = [], podCidr }: NodeNetwork): Promise<boolean> {
    let held = true;
    const bridges = homes.length === 0 ? [] : await readPodBridges(podCidr);
    const plan = planGuestFrames({ homes, podCidr }, bridges);
    for (const { family, rules } of this.#tables)
      try {
        await rules.apply(plan[family]);
      } catch (err) {
        held = false;
        if (this.#told.has(family)) continue;
        this.#told.add(family);
        this.#logger.warn({ family, err }, 'addresses of their home lead pods of others nowhere beside the bridge');
      }
    return held;
  }

  async remove(): Promise<void> {
    for (const { rules } of this.#tables) await rules.remove();
  }
}

/** The bridges among the links that lead to pods. */
async function readPodBridges(podCidr: string): Promise<PodBridge[]> {
  const routes = await execute(['ip', '-json', '-4', 'route', 'show', 'root', podCidr]);
  const found = routes.trim() === '' ? [] : (JSON.parse(routes) as { dev?: string }[]);
  const names = new Set(found.flatMap(({ dev }) => (dev === undefined || dev === LINK || dev === 'lo' ? [] : [dev])));
  if (names.size > MAX_POD_LINKS) return [];
  const links = JSON.parse(await execute(['ip', '-json', 'link', 'show', 'type', 'bridge'])) as {
    ifname?: string;
    address?: string;
  }[];
  return links
    .flatMap(({ ifname: name = '', address: mac = '' }) => (names.has(name) ? [{ name, mac }] : []))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
