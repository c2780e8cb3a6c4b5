import { CodedError } from '../core/coded-error.ts';
import { runAttached } from '../runtime/command.ts';
import { takeDown } from './down.ts';
import { endAllFaults, endFault, startFault } from './faults/run-fault.ts';
import { LAB_USAGE, type LabCommand } from './lab-command.ts';
import type { LabContext } from './lab-context.ts';
import { withLabLock } from './lab-registry.ts';
import { openLab } from './open-lab.ts';
import { restartCluster } from './restart.ts';
import { readLabStatus, renderLabStatus } from './status.ts';
import { findCluster } from './topology.ts';
import { bringUp, type LabDeps } from './up.ts';

export interface LabConsole extends LabDeps {
  /** Standard output. */
  print(text: string): void;
  /** Terminal type, for shells. */
  terminal: string;
}

/** Carries out one command of the lab; gives the exit code. Throws CodedError with what the user should know. */
export async function runLab(command: LabCommand, console: LabConsole): Promise<number> {
  switch (command.verb) {
    case 'help':
      console.print(LAB_USAGE);
      return 0;
    case 'up': {
      const lab = await withLabLock({ ...console, name: command.name }, () => bringUp(command, console));
      console.progress.say(`lab "${command.name}" is up`);
      console.print(nextSteps(lab, command.federation));
      return 0;
    }
    case 'down':
      await withLabLock({ ...console, name: command.name }, () => takeDown(command.name, console));
      return 0;
    case 'status':
      return printStatus(openLab(command.name, console), console);
    case 'logs':
      return showLog(openLab(command.name, console), command);
    case 'shell':
      return openShell(openLab(command.name, console), command, console.terminal);
    case 'fault':
    case 'end-fault': {
      const lab = openLab(command.name, console);
      const change = command.verb === 'fault' ? startFault : endFault;
      await withLabLock({ ...console, name: command.name }, () => change(lab, command.fault));
      return 0;
    }
    case 'end-all-faults': {
      const lab = openLab(command.name, console);
      await withLabLock({ ...console, name: command.name }, () => endAllFaults(lab));
      return 0;
    }
    case 'restart': {
      const lab = openLab(command.name, console);
      const cluster = findCluster(lab.topology, command.cluster);
      await withLabLock({ ...console, name: command.name }, () => restartCluster(lab, cluster));
      return 0;
    }
  }
}

async function printStatus(lab: LabContext, console: LabConsole): Promise<number> {
  const entries = await readLabStatus(lab);
  console.print(renderLabStatus(entries));
  return entries.every(({ status }) => status.ready) ? 0 : 1;
}

type LogsCommand = Extract<LabCommand, { verb: 'logs' }>;
type ShellCommand = Extract<LabCommand, { verb: 'shell' }>;

async function showLog({ topology, provider }: LabContext, command: LogsCommand): Promise<number> {
  const cluster = findCluster(topology, command.cluster);
  const known = provider.components(cluster);
  const component = command.component;
  if (component === undefined || !known.includes(component))
    throw new CodedError('InvalidArgument', `name a component of cluster ${cluster.name}: ${known.join(', ')}`);
  return runAttached(await provider.logCommand(cluster, component, command.follow));
}

async function openShell({ topology, provider }: LabContext, command: ShellCommand, terminal: string): Promise<number> {
  const cluster = findCluster(topology, command.cluster);
  const argv = command.argv.length > 0 ? command.argv : ['bash', '--norc'];
  const environment = provider.shellEnvironment(cluster);
  return runAttached(await provider.inNamespaces(cluster, argv), environment && { ...environment, TERM: terminal });
}

/** What to try in a lab that is up. */
export function nextSteps(
  { topology, provider }: Pick<LabContext, 'topology' | 'provider'>,
  federation: boolean,
): string {
  const [home = 'a', other = home] = topology.clusters.map((cluster) => cluster.name);
  const lines = [
    `export KUBECONFIG=${topology.folder}/kubeconfig PATH=${topology.folder}/bin:$PATH`,
    `kubectl --context ${home} get nodes`,
    ...(federation
      ? [
          `kubectl --context ${home} -n demo get pods -o wide`,
          ...(provider.runsContainers
            ? [`kubectl --context ${home} -n demo exec deploy/demo -- wget -qO- localhost:8080`]
            : []),
          `kubectl --context ${other} get pods -A`,
          `headcut --context ${home} status`,
        ]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}
