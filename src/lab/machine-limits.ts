import { readFileSync, writeFileSync } from 'node:fs';
import { messageOf } from '../core/coded-error.ts';
import type { Progress } from './progress.ts';

/**
 * inotify instances are counted for root on the whole machine, 128 by default. A cluster takes 22 of them (kubelet and
 * kube-controller-manager most), so the sixth one finds none left: its kubelet cannot follow logs and its pods miss changes of Secrets.
 */
const INOTIFY_INSTANCES = '/proc/sys/fs/inotify/max_user_instances';
const WANTED_INSTANCES = 1024;

/** The value to write when `present` (the file's text) is too small; undefined when it is enough. */
export function planInotifyInstances(present: string): number | undefined {
  return Number(present) >= WANTED_INSTANCES ? undefined : WANTED_INSTANCES;
}

/** Raises what the machine allows too little of, and says so. It stays raised, since other labs may need it by then. */
export function raiseMachineLimits(progress: Progress, file = INOTIFY_INSTANCES): void {
  const wanted = planInotifyInstances(readFileSync(file, 'utf8'));
  if (wanted === undefined) return;
  try {
    writeFileSync(file, `${wanted}\n`);
    progress.say(`raised fs.inotify.max_user_instances of this machine to ${wanted}`);
  } catch (error) {
    progress.say(
      `fs.inotify.max_user_instances of this machine is small and cannot be raised (${messageOf(error)}); with more than five clusters "logs -f" will fail`,
    );
  }
}
