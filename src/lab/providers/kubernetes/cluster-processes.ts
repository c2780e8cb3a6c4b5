import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../../../core/coded-error.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { startDetached } from '../../../runtime/command.ts';
import { signalProcess } from '../../cgroups.ts';
import { type ProcessIdentity, readLiveProcess } from '../../process-identity.ts';
import type { ClusterTopology } from '../../topology.ts';
import { waitUntil } from '../../wait-until.ts';
import type { Component } from './component.ts';
import { HOLDER, pidFileOf } from './launchers.ts';
import { layoutOf } from './layout.ts';

/** How long components get to end by themselves. */
const GRACE_MS = 4_000;
const LOG_TAIL_LINES = 25;

export function logFileOf(cluster: ClusterTopology, component: string): string {
  return join(layoutOf(cluster).logs, `${component}.log`);
}

export function liveProcess(cluster: ClusterTopology, process: string): ProcessIdentity | undefined {
  return readLiveProcess(pidFileOf(cluster, process));
}

/** Starts the process that keeps the cluster's namespaces, and waits until they are set up. */
export async function startHolder(cluster: ClusterTopology, clock: Clock): Promise<void> {
  const { run } = layoutOf(cluster);
  const ready = join(run, 'ready');
  mkdirSync(run, { recursive: true });
  rmSync(ready, { force: true });
  await launch(cluster, HOLDER);
  await waitUntil(async () => existsSync(ready), {
    clock,
    what: `namespaces of cluster ${cluster.name}${logTail(cluster, HOLDER)}`,
    timeoutMs: 10_000,
    intervalMs: 20,
  });
}

/** Starts those of `components` that do not run, and gives their names. */
export async function startComponents(cluster: ClusterTopology, components: readonly Component[]): Promise<string[]> {
  const missing = components.map(({ name }) => name).filter((name) => liveProcess(cluster, name) === undefined);
  for (const name of missing) await launch(cluster, name);
  return missing;
}

async function launch(cluster: ClusterTopology, process: string): Promise<void> {
  rmSync(pidFileOf(cluster, process), { force: true });
  await startDetached(['sh', join(layoutOf(cluster).etc, `${process}.sh`)], logFileOf(cluster, process));
}

/** Throws when a started component has ended, with the tail of its log. Just launched ones have no process ID yet. */
export function checkAlive(cluster: ClusterTopology, components: readonly Component[]): void {
  for (const { name } of components) {
    if (!existsSync(pidFileOf(cluster, name)) || liveProcess(cluster, name) !== undefined) continue;
    throw new CodedError('Unavailable', `${name} of cluster ${cluster.name} has ended${logTail(cluster, name)}`);
  }
}

/** The end of a component's log, as an addition to an error message. */
export function logTail(cluster: ClusterTopology, component: string): string {
  const file = logFileOf(cluster, component);
  if (!existsSync(file)) return '';
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES);
  return `; the end of ${file}:\n${lines.map((line) => `    ${line}`).join('\n')}`;
}

/** Asks components to end and waits a little; the clients of the API, which are last, first, so that nothing waits for another. */
export async function terminateComponents(
  cluster: ClusterTopology,
  components: readonly Component[],
  clock: Clock,
): Promise<void> {
  const order = components.toReversed();
  for (const { name } of order) {
    const live = liveProcess(cluster, name);
    // kine ends at once and would leave the API server without its store; it is crash-safe and goes with the rest.
    if (live !== undefined && name !== 'kine') signalProcess(live.pid, 'SIGTERM');
  }
  const deadline = clock.monotonic() + GRACE_MS;
  const others = order.filter(({ name }) => name !== 'kine');
  while (clock.monotonic() < deadline && others.some(({ name }) => liveProcess(cluster, name) !== undefined))
    await clock.sleep(100);
}
