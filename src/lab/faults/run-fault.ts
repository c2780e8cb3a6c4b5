import { CodedError } from '../../core/coded-error.ts';
import { killCgroup, processesIn, readCgroupMounts, signalProcess } from '../cgroups.ts';
import type { LabContext } from '../lab-context.ts';
import { emptyStore, fillStore } from '../store-disk.ts';
import { findCluster } from '../topology.ts';
import { resetAgentClock, shiftAgentClock } from './agent-clock.ts';
import { findProcesses, requireProcesses } from './cluster-processes.ts';
import { AGENT, type Fault } from './fault.ts';
import { freezeCgroup, thawCgroup } from './freezer.ts';
import { endAllPacketFaults, endPacketFault, startPacketFault } from './packet-faults.ts';
import { endDelay, startDelay } from './slow-link.ts';

type FaultLab = Pick<LabContext, 'topology' | 'provider' | 'clock' | 'signal'>;

/** Makes a fault happen; it lasts until endFault, or the end of the lab. Starting it twice is starting it once. */
export async function startFault(lab: FaultLab, fault: Fault): Promise<void> {
  requireLabNetwork(lab);
  const { topology, provider, clock } = lab;
  const cluster = findCluster(topology, fault.cluster);
  switch (fault.kind) {
    case 'cut':
    case 'lose':
    case 'block-udp':
      return startPacketFault(topology, fault);
    case 'delay':
      return startDelay(topology, fault);
    case 'kill':
      for (const pid of requireProcesses(readCgroupMounts(), cluster, fault.target)) signalProcess(pid, 'SIGKILL');
      return;
    case 'freeze': {
      const mounts = readCgroupMounts();
      if (fault.target === undefined) return freezeCgroup(mounts, cluster.cgroup, clock);
      for (const pid of requireProcesses(mounts, cluster, fault.target)) signalProcess(pid, 'SIGSTOP');
      return;
    }
    case 'power':
      return killCgroup(readCgroupMounts(), cluster.cgroup, clock);
    case 'fill-disk':
      return fillStore(provider.storeFolder(cluster));
    case 'clock':
      return shiftAgentClock(readCgroupMounts(), cluster, fault.shiftMs);
  }
}

/** Undoes a fault; nothing where there is none. */
export async function endFault(lab: FaultLab, fault: Fault): Promise<void> {
  requireLabNetwork(lab);
  const { topology, provider, signal } = lab;
  const cluster = findCluster(topology, fault.cluster);
  switch (fault.kind) {
    case 'cut':
    case 'lose':
    case 'block-udp':
      return endPacketFault(topology, fault);
    case 'delay':
      return endDelay(topology, fault.cluster);
    case 'kill':
      // The kubelet starts the agent again by itself.
      if (fault.target !== AGENT) await provider.start(cluster, signal);
      return;
    case 'freeze': {
      const mounts = readCgroupMounts();
      if (fault.target === undefined) return thawCgroup(mounts, cluster.cgroup);
      for (const pid of findProcesses(mounts, cluster, fault.target)) signalProcess(pid, 'SIGCONT');
      return;
    }
    case 'power':
      return provider.start(cluster, signal);
    case 'fill-disk':
      return emptyStore(provider.storeFolder(cluster));
    case 'clock':
      return resetAgentClock(readCgroupMounts(), cluster);
  }
}

/** Undoes whatever faults there are, known or not. */
export async function endAllFaults(lab: FaultLab): Promise<void> {
  requireLabNetwork(lab);
  const { topology, provider, signal } = lab;
  await endAllPacketFaults(topology);
  const mounts = readCgroupMounts();
  for (const cluster of topology.clusters) {
    await endDelay(topology, cluster.name);
    await emptyStore(provider.storeFolder(cluster));
    thawCgroup(mounts, cluster.cgroup);
    // All of them: what a component started itself may have been frozen by its own name.
    for (const pid of processesIn(mounts, cluster.cgroup)) signalProcess(pid, 'SIGCONT');
  }
  await Promise.all(topology.clusters.map((cluster) => provider.start(cluster, signal)));
  for (const cluster of topology.clusters) await resetAgentClock(mounts, cluster);
}

/** Faults are made on the lab's network and in its cgroups. */
function requireLabNetwork({ provider }: FaultLab): void {
  if (provider.usesLabNetwork) return;
  throw new CodedError(
    'FailedPrecondition',
    `a lab of ${provider.name} has no faults: its clusters are on a network of their own; use a lab of k0s or kubernetes`,
  );
}
