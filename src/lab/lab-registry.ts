import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../core/coded-error.ts';
import { writeFileAtomically } from './lab-state.ts';
import { identityOf, isAlive, parseProcessIdentity } from './process-identity.ts';

/**
 * Which checkout a lab's name belongs to on this machine, and who works on it now. A lab's namespaces, links and cgroups
 * are named after it alone, so two checkouts must not use one name at once.
 */
const FOLDER = '/run/headcut';

/** Takes the name for `stateFolder`; throws when another checkout's lab has it. */
export function claimLabName(name: string, stateFolder: string, folder = FOLDER): void {
  const file = join(folder, name);
  const owner = existsSync(file) ? readFileSync(file, 'utf8').trim() : stateFolder;
  if (owner !== stateFolder && existsSync(owner))
    throw new CodedError('Conflict', `lab "${name}" is that of ${owner}; end it there, or give --name`);
  writeFileAtomically(file, `${stateFolder}\n`);
}

/** Gives the name back; nothing of the lab is left. */
export function releaseLabName(name: string, folder = FOLDER): void {
  rmSync(join(folder, name), { force: true });
}

/** Runs `work` while no other command changes the same lab. The lock of a killed command does not count. */
export async function withLabLock<T>(name: string, work: () => Promise<T>, folder = FOLDER): Promise<T> {
  const file = join(folder, `${name}.lock`);
  mkdirSync(folder, { recursive: true });
  takeLock(name, file);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
    removeIfEmpty(folder);
  }
}

function takeLock(name: string, file: string): void {
  const us = `${process.pid} ${identityOf(process.pid)?.startTime ?? '0'}\n`;
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(file, us, { flag: 'wx' });
      return;
    } catch {
      const holder = existsSync(file) ? parseProcessIdentity(readFileSync(file, 'utf8')) : undefined;
      if (holder !== undefined && isAlive(holder))
        throw new CodedError('Conflict', `process ${holder.pid} is working on lab "${name}"; wait for it or end it`);
      rmSync(file, { force: true });
    }
  }
  throw new CodedError('Conflict', `cannot lock lab "${name}" (${file})`);
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // other labs
  }
}
