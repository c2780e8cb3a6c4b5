import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../../core/coded-error.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { CgroupMounts } from '../cgroups.ts';
import { waitUntil } from '../wait-until.ts';

/** The kernel freezes a process when it next leaves it: at once, but for one in the midst of writing to a disk. */
const FROZEN_WITHIN_MS = 10_000;

/** How a kernel freezes a cgroup with all below it. */
interface Freezer {
  file: string;
  frozen: string;
  thawed: string;
  isFrozen(): boolean;
}

/** Every process of the cgroup stands still, its containers' too. Connections stay open, and packets are still acknowledged. */
export async function freezeCgroup(mounts: CgroupMounts, cgroup: string, clock: Clock): Promise<void> {
  const freezer = freezerOf(mounts, cgroup);
  writeFileSync(freezer.file, freezer.frozen);
  await waitUntil(async () => freezer.isFrozen(), {
    clock,
    what: `cgroup ${cgroup} frozen`,
    timeoutMs: FROZEN_WITHIN_MS,
    intervalMs: 20,
  });
}

/** Nothing where nothing is frozen. */
export function thawCgroup(mounts: CgroupMounts, cgroup: string): void {
  const freezer = freezerOf(mounts, cgroup);
  writeFileSync(freezer.file, freezer.thawed);
}

/** Version 1 has a hierarchy for it; in version 2 every cgroup but the root can be frozen. */
export function freezerOf(mounts: CgroupMounts, cgroup: string): Freezer {
  const [first = ''] = mounts.hierarchies;
  if (mounts.version === 2) {
    const events = join(first, cgroup, 'cgroup.events');
    const isFrozen = (): boolean => /^frozen 1$/m.test(readFileSync(events, 'utf8'));
    return { file: join(first, cgroup, 'cgroup.freeze'), frozen: '1', thawed: '0', isFrozen };
  }
  const file = mounts.hierarchies
    .map((hierarchy) => join(hierarchy, cgroup, 'freezer.state'))
    .find((candidate) => existsSync(candidate));
  if (file === undefined)
    throw new CodedError(
      'FailedPrecondition',
      `cgroup ${cgroup} has no freezer: is the lab up, and the freezer mounted?`,
    );
  const isFrozen = (): boolean => readFileSync(file, 'utf8').trim() === 'FROZEN';
  return { file, frozen: 'FROZEN', thawed: 'THAWED', isFrozen };
}
