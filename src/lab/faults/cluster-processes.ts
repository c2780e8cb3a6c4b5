import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { CodedError } from '../../core/coded-error.ts';
import { type CgroupMounts, processesIn } from '../cgroups.ts';
import type { ClusterTopology } from '../topology.ts';
import { AGENT } from './fault.ts';

/** How the agent's container starts it (scripts/image/recipes/headcut.ts). */
const AGENT_BUNDLE = '/app/agent.mjs';

/**
 * Processes of a cluster that are `target`: its agent, or programs of that name, wherever they run. They are looked for in
 * the cluster's cgroup, since nothing else is certain to be right while things are broken.
 */
export function findProcesses(mounts: CgroupMounts, cluster: ClusterTopology, target: string): number[] {
  return processesIn(mounts, cluster.cgroup).filter((pid) => isTarget(readCommandLine(pid), target));
}

/** As findProcesses, but there must be one. */
export function requireProcesses(mounts: CgroupMounts, cluster: ClusterTopology, target: string): number[] {
  const found = findProcesses(mounts, cluster, target);
  if (found.length > 0) return found;
  const programs = processesIn(mounts, cluster.cgroup).map((pid) => basename(readCommandLine(pid)[0] ?? ''));
  const known = [...new Set(programs)].filter((name) => name !== '').sort();
  throw new CodedError(
    'NotFound',
    `no process "${target}" in cluster ${cluster.name}; there are: ${[AGENT, ...known].join(', ')}`,
  );
}

export function isTarget(commandLine: readonly string[], target: string): boolean {
  if (target === AGENT) return commandLine.includes(AGENT_BUNDLE);
  return basename(commandLine[0] ?? '') === target;
}

function readCommandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // ended meanwhile
  }
}
