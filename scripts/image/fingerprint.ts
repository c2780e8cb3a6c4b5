/** Fingerprints of what an image is made from. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** A hash of a list; lists that differ in where one string ends differ. */
export function hashOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

async function filesOf(path: string): Promise<{ name: string; path: string }[]> {
  if ((await stat(path)).isFile()) return [{ name: basename(path), path }];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ name: file.slice(path.length + 1), path: file }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A hash of the files' names and contents, folders with all they hold. Where they lie does not count. */
export async function hashFiles(...paths: readonly string[]): Promise<string> {
  const files = (await Promise.all(paths.map(filesOf))).flat();
  const contents = await Promise.all(files.map((file) => readFile(file.path)));
  return hashOf(
    files.flatMap(({ name }, index) => [name, createHash('sha256').update(contents[index]!).digest('hex')]),
  );
}
