import { formatPrefix, type Prefix } from '../../core/network/prefix.ts';
import { type RouteEntry, usedRoutes } from '../../core/network/used-routes.ts';
import { execute } from '../../runtime/command.ts';

/** The networks within `range`, or around it, to which this node has routes beside ours, in any table. */
export async function readUsedRoutes(range: Prefix): Promise<Prefix[]> {
  const text = formatPrefix(range);
  const [within, around] = await Promise.all([readRoutes(['root', text]), readRoutes(['match', text])]);
  return usedRoutes([...within, ...around]);
}

async function readRoutes(selector: readonly string[]): Promise<RouteEntry[]> {
  const routes = await execute(['ip', '-json', '-4', 'route', 'show', 'table', 'all', ...selector]);
  return routes.trim() === '' ? [] : (JSON.parse(routes) as RouteEntry[]);
}
