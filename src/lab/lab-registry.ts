import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../core/coded-error.ts';
import type { Clock } from '../runtime/clock.ts';
import { writeFileAtomically } from './lab-state.ts';
import { identityOf, isAlive, parseProcessIdentity } from './process-identity.ts';
import { waitUntil } from './wait-until.ts';

/**
 * Which checkout a lab's name belongs to on this machine, and who works on it now. A lab's namespaces, links and cgroups
 * are named after it alone, so two checkouts must not use one name at once.
 */
export const REGISTRY_FOLDER = '/run/headcut';

/** Takes the name for `stateFolder`; throws when another checkout's lab has it. */
export function claimLabName(name: string, stateFolder: string, folder = REGISTRY_FOLDER): void {
  const file = join(folder, name);
  const owner = existsSync(file) ? readFileSync(file, 'utf8').trim() : stateFolder;
  if (owner !== stateFolder && existsSync(owner))
    throw new CodedError('Conflict', `lab "${name}" is that of ${owner}; end it there, or give --name`);
  writeFileAtomically(file, `${stateFolder}\n`);
}

/** Gives the name back; nothing of the lab is left. */
export function releaseLabName(name: string, folder = REGISTRY_FOLDER): void {
  rmSync(join(folder, name), { force: true });
}

/** Whether a lab has a name on this machine. One whose folder was removed by other means has none any more. */
export function hasLabs(folder = REGISTRY_FOLDER): boolean {
  if (!existsSync(folder)) return false;
  // Files with a dot are no names: locks, and what labs remember together.
  const names = readdirSync(folder).filter((name) => !name.includes('.'));
  return names.some((name) => existsSync(readFileSync(join(folder, name), 'utf8').trim()));
}

export interface LabLockOptions {
  name: string;
  clock: Clock;
  signal: AbortSignal;
  folder?: string;
}

/** How long a command waits for the one before it. */
const LOCK_TIMEOUT_MS = 10 * 60_000;

/** Runs `work` while no other command changes the same lab; waits for it. The lock of a killed command does not count. */
export async function withLabLock<T>(options: LabLockOptions, work: () => Promise<T>): Promise<T> {
  const { name, clock, signal, folder = REGISTRY_FOLDER } = options;
  const file = join(folder, `${name}.lock`);
  await waitUntil(async () => tryLock(file, folder), {
    clock,
    signal,
    what: `no other command works on lab "${name}"`,
    timeoutMs: LOCK_TIMEOUT_MS,
  });
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
    removeIfEmpty(folder);
  }
}

function tryLock(file: string, folder: string): boolean {
  const holder = existsSync(file) ? parseProcessIdentity(readFileSync(file, 'utf8')) : undefined;
  if (holder !== undefined && isAlive(holder)) return false;
  rmSync(file, { force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${process.pid} ${identityOf(process.pid)?.startTime ?? '0'}\n`, { flag: 'wx' });
  return true;
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // other labs
  }
}
