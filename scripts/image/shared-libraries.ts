/** Which shared libraries a program needs, and where they lie in a folder of unpacked Debian packages. */
import { existsSync } from 'node:fs';
import { readFile, readlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Architecture } from './architecture.ts';
import { runCommand } from './command.ts';
import type { TarEntry } from './tar-archive.ts';

/** Names of the libraries an ELF file asks for; `libc.so.6`. Works for any architecture, unlike ldd. */
async function neededLibraries(path: string): Promise<string[]> {
  const output = await runCommand('readelf', ['--dynamic', '--wide', path]);
  return [...output.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1] ?? '');
}

async function interpreterOf(path: string): Promise<string> {
  const output = await runCommand('readelf', ['--program-headers', '--wide', path]);
  const interpreter = /Requesting program interpreter: (.+)\]/.exec(output)?.[1];
  if (!interpreter) throw new Error(`${path} is not a dynamically linked program`);
  return interpreter;
}

/** The file behind a path below `root`, following links as if `root` were `/`. */
async function resolveBelow(root: string, path: string): Promise<string> {
  const target = await readlink(join(root, path)).catch(() => undefined);
  return target === undefined ? join(root, path) : resolveBelow(root, resolve('/', dirname(path), target));
}

/**
 * The program's libraries and their libraries as files of an image: below `lib/TRIPLET`, where Debian's loader looks,
 * and the loader at the path that the program names.
 * @param root where libc6, libstdc++6 and libgcc-s1 are unpacked
 */
export async function libraryEntries(program: string, root: string, architecture: Architecture): Promise<TarEntry[]> {
  const interpreter = await interpreterOf(program);
  const loader = await resolveBelow(root, interpreter);
  const found = new Map<string, string>([[basename(interpreter), loader]]);
  const queue = await neededLibraries(program);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name)) continue;
    const folders = [`lib/${architecture.triplet}`, `usr/lib/${architecture.triplet}`];
    const folder = folders.find((candidate) => existsSync(join(root, candidate, name)));
    if (!folder) throw new Error(`no Debian package of the image has ${name}, which ${basename(program)} needs`);
    const path = await resolveBelow(root, join(folder, name));
    found.set(name, path);
    queue.push(...(await neededLibraries(path)));
  }
  return Promise.all(
    [...found].map(async ([name, path]) => ({
      kind: 'file' as const,
      path: path === loader ? interpreter.slice(1) : `lib/${architecture.triplet}/${name}`,
      data: await readFile(path),
      mode: 0o755,
    })),
  );
}
