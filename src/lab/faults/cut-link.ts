import { execute, runCommand } from '../../runtime/command.ts';
import type { ClusterTopology, LabTopology } from '../topology.ts';

/**
 * A link between two clusters that loses everything, both ways, without anybody being told: the bridge drops the frames.
 * The rules are in the lab's own namespace, so that they end with the lab; each pair has a table of its own.
 */

/** Lets nothing pass between two clusters. Cutting twice is cutting once. */
export async function cutLink(lab: LabTopology, one: ClusterTopology, other: ClusterTopology): Promise<void> {
  await healLink(lab, one, other);
  const table = tableOf(one, other);
  const ways = [
    [one, other],
    [other, one],
  ] as const;
  const rules = ways.map(([from, to]) => `iifname "${from.bridgePort}" oifname "${to.bridgePort}" drop`);
  const script = `table bridge ${table} {\n chain forward {\n type filter hook forward priority 0;\n ${rules.join('\n ')}\n }\n}`;
  await execute([...inLab(lab), 'sh', '-ec', `nft -f - <<'RULES'\n${script}\nRULES`]);
}

/** Lets everything pass again; nothing where it does. */
export async function healLink(lab: LabTopology, one: ClusterTopology, other: ClusterTopology): Promise<void> {
  await runCommand([...inLab(lab), 'nft', 'delete', 'table', 'bridge', tableOf(one, other)]);
}

function tableOf(one: ClusterTopology, other: ClusterTopology): string {
  return `cut_${[one.name, other.name].sort().join('_')}`;
}

function inLab(lab: LabTopology): string[] {
  return ['nsenter', `--net=/run/netns/${lab.networkNamespace}`];
}
