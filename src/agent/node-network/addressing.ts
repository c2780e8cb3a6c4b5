import { isIP } from 'node:net';
import { LINK, type NodeNetwork } from '../../core/network/node-network.ts';
import { type Addressing, planAddressing, toBatch } from '../../core/network/plan-addressing.ts';
import { execute, runCommand } from '../../runtime/command.ts';

/** Makes the link's size, address and routes as wanted; does nothing where they are. @returns why single prefixes have no route */
export async function applyAddressing(
  network: NodeNetwork,
): Promise<{ mtu: number; failures: ReadonlyMap<string, string> }> {
  const carrierMtus = await Promise.all(udpAddresses(network).map(mtuTowards));
  const plan = await planned(network, carrierMtus);
  const failures = new Map<string, string>();
  if (plan.commands.length === 0) return { mtu: plan.mtu, failures };
  // Without -force it stops at the first line that fails; then each route is made by itself.
  const all = await runCommand(['ip', '-batch', '-'], { input: toBatch(plan.commands) });
  if (all.exitCode !== 0) await oneByOne((await planned(network, carrierMtus)).commands, failures);
  return { mtu: plan.mtu, failures };
}

async function planned(network: NodeNetwork, carrierMtus: readonly (number | undefined)[]) {
  return planAddressing(network, await readAddressing(), carrierMtus);
}

async function oneByOne(commands: readonly string[][], failures: Map<string, string>): Promise<void> {
  for (const command of commands) {
    const [object, , network = ''] = command;
    if (object !== 'route') await execute(['ip', ...command]);
    else {
      const { exitCode, stderr } = await runCommand(['ip', ...command]);
      if (exitCode !== 0) failures.set(network, stderr.trim());
    }
  }
}

function udpAddresses(network: NodeNetwork): string[] {
  const addresses = network.peers.flatMap(({ path, endpoint }) =>
    path === 'udp' && endpoint !== undefined ? [endpoint.replace(/:\d+$/, '').replace(/[[\]]/g, '')] : [],
  );
  return [...new Set(addresses)].filter((address) => isIP(address) !== 0);
}

interface Route {
  dst?: string;
  dev?: string;
  prefsrc?: string;
  metrics?: { mtu?: number }[];
}

/** The largest packet that the way to an address takes, as far as this node knows; undefined when there is no way. */
async function mtuTowards(address: string): Promise<number | undefined> {
  const { exitCode, stdout } = await runCommand(['ip', '-json', 'route', 'get', address]);
  if (exitCode !== 0) return undefined;
  const [route] = JSON.parse(stdout) as Route[];
  if (route?.dev === undefined) return undefined;
  const known = route.metrics?.find((metric) => metric.mtu !== undefined)?.mtu;
  if (known !== undefined) return known;
  const [link] = JSON.parse(await execute(['ip', '-json', 'link', 'show', 'dev', route.dev])) as { mtu?: number }[];
  return link?.mtu;
}

async function readAddressing(): Promise<Addressing> {
  const [links, routes] = await Promise.all([
    execute(['ip', '-json', '-4', 'addr', 'show', 'dev', LINK]),
    execute(['ip', '-json', '-4', 'route', 'show', 'dev', LINK]),
  ]);
  const [link] = JSON.parse(links) as {
    mtu: number;
    flags?: string[];
    addr_info?: { local: string; prefixlen: number }[];
  }[];
  return {
    mtu: link?.mtu ?? 0,
    up: link?.flags?.includes('UP') === true,
    addresses: (link?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    routes: (JSON.parse(routes === '' ? '[]' : routes) as Route[]).map(({ dst = '', prefsrc = '' }) => ({
      to: dst,
      from: prefsrc,
    })),
  };
}
