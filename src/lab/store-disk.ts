import { mkdirSync, readFileSync, statfsSync } from 'node:fs';
import { execute } from '../runtime/command.ts';

/**
 * The disk of a cluster's API server store: a file system in memory, mounted in the machine's own namespace so that it
 * survives the power loss of a cluster, though not one of the machine. It is full when it is made as small as what is on it.
 */

/** Far more than a store grows to, that is compacted every five minutes; memory is taken only for what is there. */
const SIZE_BYTES = 2 * 1024 ** 3;

/** Nothing where it is mounted. @param folder absolute */
export async function mountStore(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  if (mountsBelow(folder).includes(folder)) return;
  await execute(['mount', '-t', 'tmpfs', '-o', `mode=700,size=${SIZE_BYTES}`, 'headcut-store', folder]);
}

/** Takes away the disks at and below a folder, with what is on them. */
export async function unmountStores(folder: string): Promise<void> {
  // Lazily: somebody may still look.
  for (const mount of mountsBelow(folder).toReversed()) await execute(['umount', '--lazy', mount]);
}

/** From now on nothing can be written there that takes room. */
export async function fillStore(folder: string): Promise<void> {
  const { blocks, bfree, bsize } = statfsSync(folder);
  await resize(folder, (blocks - bfree) * bsize);
}

/** There is room again; nothing where there was. */
export async function emptyStore(folder: string): Promise<void> {
  await resize(folder, SIZE_BYTES);
}

async function resize(folder: string, bytes: number): Promise<void> {
  await execute(['mount', '-o', `remount,size=${bytes}`, folder]);
}

/** Mount points at and below a folder, outer ones first. */
function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((path) => path.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter((path) => path === folder || path.startsWith(`${folder}/`));
}
