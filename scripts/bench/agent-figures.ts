import { readFileSync } from 'node:fs';
import { processWith, run } from './bench-lab.ts';

export interface AgentFigures {
  /** Memory of the container as the kernel counts it, in MB (10^6 bytes). */
  memoryMb: number;
  cpuSeconds: number;
  /** Writes to the API server since the start, by resource. */
  writes: Record<string, number>;
}

/** Figures of the agent whose health port is at `host`. @param node the cluster's node, which the process's environment names */
export async function readAgentFigures(host: string, node: string): Promise<AgentFigures> {
  const { stdout } = await run('curl', ['-sf', '--max-time', '5', `http://${host}:7444/metrics`]);
  const writes: Record<string, number> = {};
  for (const [, resource = '', count] of stdout.matchAll(
    /^headcut_api_writes_total\{[^}]*resource="([^"]*)"[^}]*\} (\d+)/gm,
  )) {
    writes[resource] = (writes[resource] ?? 0) + Number(count);
  }
  const cpuSeconds = Number(/^headcut_process_cpu_seconds_total ([\d.]+)/m.exec(stdout)?.[1] ?? Number.NaN);
  return { memoryMb: containerMemoryMb(agentProcess(node)), cpuSeconds, writes };
}

/** Another lab may have a node of this name: its host address tells them apart, but is checked by the caller's host already. */
function agentProcess(node: string): string {
  const found = processWith(`HOST_IP=${node}`, '/app/agent.mjs');
  if (found === undefined) throw new Error(`no agent runs at ${node}`);
  return found;
}

/** cgroup v1: memory.usage_in_bytes of the memory hierarchy; v2: memory.current. */
function containerMemoryMb(pid: string): number {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const v1 = groups.find(([, controllers]) => controllers?.split(',').includes('memory'));
  const v2 = groups.find(([id]) => id === '0');
  const file =
    v1 === undefined
      ? `/sys/fs/cgroup${v2?.[2]}/memory.current`
      : `/sys/fs/cgroup/memory${v1[2]}/memory.usage_in_bytes`;
  return Number(readFileSync(file, 'utf8')) / 1e6;
}

/** What was written between two readings, in all and without lease renewals. */
export function writesBetween(before: AgentFigures, after: AgentFigures): { all: number; besidesLeases: number } {
  const difference = (resource: string): number => (after.writes[resource] ?? 0) - (before.writes[resource] ?? 0);
  const all = Object.keys(after.writes).reduce((sum, resource) => sum + difference(resource), 0);
  return { all, besidesLeases: all - difference('leases') };
}
