import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, messageOf } from '../core/coded-error.ts';
import type { Clock } from '../runtime/clock.ts';

/**
 * A cluster's cgroup is where all its processes are: ours in `system`, its pods in `kubepods`.
 * It keeps kubelets of different clusters apart, and it is how we find what to end.
 */

export interface CgroupMounts {
  version: 1 | 2;
  /** One folder a hierarchy. */
  hierarchies: string[];
}

/** The cgroup hierarchies in the text of /proc/self/mounts. With version 1 also the empty unified one, if mounted. */
export function parseCgroupMounts(mounts: string): CgroupMounts {
  const lines = mounts.split('\n').map((line) => line.split(' '));
  const v1 = lines.filter(([, , type]) => type === 'cgroup').map(([, path = '']) => path);
  const v2 = lines.filter(([, , type]) => type === 'cgroup2').map(([, path = '']) => path);
  if (v1.length > 0) return { version: 1, hierarchies: [...v1, ...v2] };
  if (v2.length > 0) return { version: 2, hierarchies: v2.slice(0, 1) };
  throw new CodedError('FailedPrecondition', 'no cgroup file system is mounted on this machine');
}

export function readCgroupMounts(): CgroupMounts {
  return parseCgroupMounts(readFileSync('/proc/self/mounts', 'utf8'));
}

/** The files into which a process of ours writes its ID to belong to `cgroup`. */
export function processFilesOf(mounts: CgroupMounts, cgroup: string): string[] {
  return mounts.hierarchies.map((hierarchy) => join(hierarchy, cgroup, 'system', 'cgroup.procs'));
}

/** Makes `cgroup` with its child `system` in every hierarchy, with all controllers usable below it. */
export function createCgroup(mounts: CgroupMounts, cgroup: string): void {
  for (const hierarchy of mounts.hierarchies) {
    let folder = hierarchy;
    for (const part of [...cgroup.split('/'), 'system']) {
      if (mounts.version === 2) delegateControllers(folder);
      const parent = folder;
      folder = join(folder, part);
      mkdirSync(folder, { recursive: true });
      fillCpuset(parent, folder);
    }
  }
}

/** A new cpuset of version 1 is empty, and nothing can run in it. */
function fillCpuset(parent: string, folder: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (!existsSync(join(parent, file)) || !existsSync(join(folder, file))) continue;
    if (readFileSync(join(folder, file), 'utf8').trim() !== '') continue;
    writeFileSync(join(folder, file), readFileSync(join(parent, file), 'utf8'));
  }
}

function delegateControllers(folder: string): void {
  const available = words(join(folder, 'cgroup.controllers'));
  const enabled = words(join(folder, 'cgroup.subtree_control'));
  const missing = available.filter((controller) => !enabled.includes(controller));
  for (const controller of missing) {
    try {
      writeFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`);
    } catch (error) {
      // Only these are needed by a kubelet; the others (rdma, misc, dmem…) are as the machine has them.
      if (!['cpu', 'cpuset', 'memory', 'pids'].includes(controller)) continue;
      throw new CodedError(
        'FailedPrecondition',
        `cannot hand the ${controller} controller down from ${folder}. In a container, start it so that its own processes ` +
          `are not in the cgroup root (an init that moves them into a child)`,
        error,
      );
    }
  }
}

function words(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split(/\s+/).filter(Boolean) : [];
}

/** Every process in `cgroup` and below, in any hierarchy. */
export function processesIn(mounts: CgroupMounts, cgroup: string): number[] {
  const pids = new Set<number>();
  for (const hierarchy of mounts.hierarchies) {
    for (const folder of foldersBelow(join(hierarchy, cgroup))) {
      // 0 stands for a process of another PID namespace; there is none of ours.
      for (const pid of words(join(folder, 'cgroup.procs')).map(Number)) if (pid > 0) pids.add(pid);
    }
  }
  return [...pids];
}

/** On a very busy machine the kernel needs its time to tear down a cluster's processes. */
const KILL_WITHIN_MS = 60_000;

/** Ends every process in `cgroup` at once. Repeats, because a process may fork while we look. */
export async function killCgroup(mounts: CgroupMounts, cgroup: string, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + KILL_WITHIN_MS;
  for (;;) {
    const pids = processesIn(mounts, cgroup).filter((pid) => pid !== process.pid);
    if (pids.length === 0) return;
    if (clock.monotonic() > deadline)
      throw new CodedError('Internal', `processes of cgroup ${cgroup} do not end: ${pids.join(', ')}`);
    thaw(mounts, cgroup);
    for (const pid of pids) signalProcess(pid, 'SIGKILL');
    await clock.sleep(50);
  }
}

/** A frozen cgroup of version 1 ignores even SIGKILL (faults freeze clusters). */
function thaw(mounts: CgroupMounts, cgroup: string): void {
  for (const hierarchy of mounts.hierarchies)
    for (const folder of foldersBelow(join(hierarchy, cgroup))) {
      const file = join(folder, 'freezer.state');
      if (existsSync(file) && readFileSync(file, 'utf8').trim() !== 'THAWED') writeFileSync(file, 'THAWED');
    }
}

/** Removes `cgroup` from the leaves up. The kernel frees it shortly after its last process is gone. */
export async function removeCgroup(mounts: CgroupMounts, cgroup: string, clock: Clock): Promise<void> {
  for (const hierarchy of mounts.hierarchies) {
    for (const folder of foldersBelow(join(hierarchy, cgroup)).reverse()) await removeFolder(folder, clock);
  }
}

async function removeFolder(folder: string, clock: Clock): Promise<void> {
  for (let attempt = 0; existsSync(folder); attempt++) {
    try {
      rmdirSync(folder);
    } catch (error) {
      if (attempt === 40) throw new CodedError('Internal', `cannot remove cgroup ${folder}: ${messageOf(error)}`);
      await clock.sleep(50);
    }
  }
}

/** `folder` and all folders below it, parents first. */
function foldersBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const found = [folder];
  for (let index = 0; index < found.length; index++) {
    const parent = found[index] as string;
    for (const entry of listFolders(parent)) found.push(join(parent, entry));
  }
  return found;
}

function listFolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return []; // gone meanwhile
  }
}

/** Sends a signal; a process that is gone is fine. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ended meanwhile
  }
}
