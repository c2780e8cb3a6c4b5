/** A folder of things that were costly to get. What is in it is complete: it appears by renaming. */
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What no run has used for this long is removed when something new arrives: a few hundred megabytes a Node release. */
const keepMs = 30 * 24 * 3600 * 1000;

/** Runs `use` with an empty folder beside `path` (so that renaming is atomic), and removes it afterwards. */
export async function withTemporaryFolder<T>(path: string, use: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const folder = await mkdtemp(`${path}.tmp-`);
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function removeUnused(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const used = await stat(path).catch(() => undefined);
    if (used && Date.now() - used.mtimeMs > keepMs) await rm(path, { recursive: true, force: true });
  }
}

/**
 * The path of a cached file, which `create` writes when it is missing. When two runs create the same file the later one wins;
 * both are equal, as the key in the path says what they are made from.
 */
export async function cachedFile(path: string, create: (temporary: string) => Promise<void>): Promise<string> {
  if (await stat(path).catch(() => undefined)) {
    await utimes(path, new Date(), new Date());
    return path;
  }
  await withTemporaryFolder(path, async (folder) => {
    const temporary = join(folder, 'file');
    await create(temporary);
    // A file out of an archive has the archive's time, and would count as unused for years.
    await utimes(temporary, new Date(), new Date());
    await rename(temporary, path);
  });
  await removeUnused(dirname(path));
  return path;
}
