import { CodedError } from '../../core/coded-error.ts';
import { execute, runCommand } from '../../runtime/command.ts';
import { findCluster, type LabTopology } from '../topology.ts';
import type { Fault } from './fault.ts';

type DelayFault = Extract<Fault, { kind: 'delay' }>;

/** Queues that packets wait in; the default of 1000 would lose some of a fast stream. */
const QUEUED_PACKETS = 20_000;

/** What `tc` is told, at the cluster's port on the bridge. */
export function delayArguments(port: string, { delayMs, jitterMs }: DelayFault): string[] {
  const jitter = jitterMs === 0 ? [] : [`${jitterMs}ms`];
  return [
    'qdisc',
    'replace',
    'dev',
    port,
    'root',
    'netem',
    'limit',
    `${QUEUED_PACKETS}`,
    'delay',
    `${delayMs}ms`,
    ...jitter,
  ];
}

export async function startDelay(lab: LabTopology, fault: DelayFault): Promise<void> {
  const port = findCluster(lab, fault.cluster).bridgePort;
  try {
    await execute(['tc', '-n', lab.networkNamespace, ...delayArguments(port, fault)]);
  } catch (error) {
    throw new CodedError(
      'FailedPrecondition',
      `cannot delay packets: does this machine's kernel have the queueing discipline netem (module sch_netem)?`,
      error,
    );
  }
}

/** Nothing where nothing is delayed. */
export async function endDelay(lab: LabTopology, clusterName: string): Promise<void> {
  const port = findCluster(lab, clusterName).bridgePort;
  await runCommand(['tc', '-n', lab.networkNamespace, 'qdisc', 'delete', 'dev', port, 'root']);
}
