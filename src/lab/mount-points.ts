import { appendFileSync, existsSync, mkdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasLabs, REGISTRY_FOLDER } from './lab-registry.ts';

/**
 * Folders of the machine that its labs' clusters mount their own ones over. A machine without k0s or a kubelet lacks some: those
 * are made, remembered, and removed with the last lab. What is remembered is gone after a start of the machine; then they stay.
 */
const LIST = '.mount-points';

/** Makes those that are missing; their parents are there on every machine. */
export function makeMountPoints(paths: readonly string[], registry = REGISTRY_FOLDER): void {
  for (const path of paths) {
    if (existsSync(path)) continue;
    mkdirSync(registry, { recursive: true });
    // Before it is made, or nobody would know of it when this process is killed between.
    appendFileSync(join(registry, LIST), `${path}\n`);
    mkdirSync(path, { recursive: true });
  }
}

/**
 * Removes those that labs made, if they are empty. Nothing while there is another lab: to remove a folder ends what is mounted
 * over it, in every namespace.
 */
export function removeMountPoints(registry = REGISTRY_FOLDER): void {
  const list = join(registry, LIST);
  if (!existsSync(list) || hasLabs(registry)) return;
  for (const path of readFileSync(list, 'utf8').split('\n')) if (path !== '') removeIfEmpty(path);
  rmSync(list);
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Somebody uses it by now, or it is gone.
  }
}
