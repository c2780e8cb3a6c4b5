import type { LabContext } from './lab-context.ts';
import type { ClusterStatus } from './provider.ts';
import type { ClusterTopology } from './topology.ts';

export interface LabStatusEntry {
  cluster: ClusterTopology;
  address: string;
  status: ClusterStatus;
}

/** What every cluster of a lab is doing. */
export function readLabStatus({ topology, provider }: LabContext): Promise<LabStatusEntry[]> {
  return Promise.all(
    topology.clusters.map(async (cluster) => {
      const address = await provider.address(cluster).catch(() => '-');
      return { cluster, address, status: await provider.status(cluster) };
    }),
  );
}

/** As a table for people. */
export function renderLabStatus(entries: readonly LabStatusEntry[]): string {
  const rows = entries.map(({ cluster, address, status }) => {
    const running = status.components.filter((component) => component.running);
    const missing = status.components.filter((component) => !component.running).map(({ name }) => name);
    const megabytes = running.reduce((sum, { residentBytes = 0 }) => sum + residentBytes, 0) / 1e6;
    return [
      cluster.name,
      status.ready ? 'Ready' : 'NotReady',
      address,
      `${running.length}/${status.components.length}`,
      `${megabytes.toFixed(0)} MB`,
      missing.join(' ') || '-',
    ];
  });
  return renderTable([['CLUSTER', 'NODE', 'ADDRESS', 'RUNNING', 'MEMORY', 'MISSING'], ...rows]);
}

function renderTable(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}
