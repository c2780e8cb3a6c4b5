import { execute, runCommand } from '../../runtime/command.ts';
import { applyRules } from '../network.ts';
import { findCluster, type LabTopology } from '../topology.ts';
import type { PacketFault } from './fault.ts';

/**
 * Packets that get lost without anybody being told: the bridge drops the frames. The rules are in the lab's own namespace, so
 * that they end with the lab; each fault has a table of its own, named after it.
 */

const PREFIX = 'fault_';

/** The nftables script that makes a fault; applied twice it is there once. */
export function packetFaultScript(lab: LabTopology, fault: PacketFault): string {
  const table = packetFaultTable(fault);
  const rules = waysOf(lab, fault).map((way) => `  ${way} ${matchOf(fault)}drop`);
  return [
    `add table bridge ${table}`,
    `delete table bridge ${table}`,
    `table bridge ${table} {`,
    ' chain forward {',
    '  type filter hook forward priority 0;',
    ...rules,
    ' }',
    '}',
  ].join('\n');
}

/** The same for both orders of a fault that hits both ways. */
export function packetFaultTable({ kind, cluster, other = 'all', oneWay }: PacketFault): string {
  const pair = oneWay || other === 'all' ? [cluster, other] : [cluster, other].sort();
  return `${PREFIX}${kind.replace('-', '_')}_${pair.join('_')}${oneWay ? '_one_way' : ''}`;
}

export async function startPacketFault(lab: LabTopology, fault: PacketFault): Promise<void> {
  await applyRules(lab.networkNamespace, packetFaultScript(lab, fault));
}

/** Lets everything pass again; nothing where it does. */
export async function endPacketFault(lab: LabTopology, fault: PacketFault): Promise<void> {
  await deleteTable(lab, packetFaultTable(fault));
}

export async function endAllPacketFaults(lab: LabTopology): Promise<void> {
  const { tables } = parseTables(await execute([...inLab(lab), 'nft', '--json', 'list', 'tables', 'bridge']));
  for (const table of tables) if (table.startsWith(PREFIX)) await deleteTable(lab, table);
}

function waysOf(lab: LabTopology, { cluster, other, oneWay }: PacketFault): string[] {
  const port = findCluster(lab, cluster).bridgePort;
  const far =
    other === undefined
      ? lab.clusters.filter((one) => one.name !== cluster).map((one) => one.bridgePort)
      : [findCluster(lab, other).bridgePort];
  const set = `{ ${far.map((one) => `"${one}"`).join(', ')} }`;
  const out = `iifname "${port}" oifname ${set}`;
  return oneWay ? [out] : [out, `iifname ${set} oifname "${port}"`];
}

function matchOf(fault: PacketFault): string {
  switch (fault.kind) {
    case 'cut':
      return '';
    case 'lose':
      return `numgen random mod 100 < ${fault.percent} `;
    case 'block-udp':
      return 'meta l4proto udp ';
  }
}

function parseTables(json: string): { tables: string[] } {
  const { nftables = [] } = JSON.parse(json) as { nftables?: { table?: { name: string } }[] };
  return { tables: nftables.flatMap(({ table }) => (table === undefined ? [] : [table.name])) };
}

async function deleteTable(lab: LabTopology, table: string): Promise<void> {
  await runCommand([...inLab(lab), 'nft', 'delete', 'table', 'bridge', table]);
}

function inLab(lab: LabTopology): string[] {
  return ['nsenter', `--net=/run/netns/${lab.networkNamespace}`];
}
