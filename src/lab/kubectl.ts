import { join } from 'node:path';
import { type CommandOptions, execute } from '../runtime/command.ts';
import type { LabContext } from './lab-context.ts';

/** Runs kubectl against one cluster of the lab and gives what it prints. */
export function kubectl(
  { topology, toolsFolder, signal }: LabContext,
  cluster: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const kubeconfig = join(topology.folder, 'kubeconfig');
  return execute([join(toolsFolder, 'kubectl'), '--kubeconfig', kubeconfig, '--context', cluster, ...args], {
    signal,
    ...options,
  });
}
