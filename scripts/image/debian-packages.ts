/**
 * Files out of Debian packages, for any architecture and without installing them: apt works on a state folder of its own,
 * with the machine's sources and keys, so neither root nor a foreign architecture in dpkg is necessary.
 */
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from './architecture.ts';
import { withTemporaryFolder } from './cache.ts';
import { runCommand } from './command.ts';

export interface DebianPackages {
  /** The release (`bookworm`) and architecture's folder of downloaded packages. */
  readonly folder: string;
  readonly architecture: Architecture;
}

/** The release that the machine runs, as apt fetches that one's packages. */
export async function readReleaseName(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const name = /^VERSION_CODENAME=(\S+)$/m.exec(text)?.[1];
  if (!name) throw new Error('this machine is not a Debian or Ubuntu release: images are made from Debian packages');
  return name;
}

async function findPackage({ folder }: DebianPackages, name: string): Promise<string | undefined> {
  const files = (await readdir(folder).catch(() => [])).filter((file) => file.startsWith(`${name}_`));
  const withTimes = await Promise.all(
    files.map(async (file) => ({ path: join(folder, file), time: (await stat(join(folder, file))).mtimeMs })),
  );
  return withTimes.sort((a, b) => b.time - a.time)[0]?.path;
}

/** The newest downloaded package file of each name; fails when one was not fetched. */
export async function packageFiles(packages: DebianPackages, names: readonly string[]): Promise<string[]> {
  return Promise.all(
    names.map(async (name) => {
      const path = await findPackage(packages, name);
      if (!path) throw new Error(`Debian package ${name} was not downloaded`);
      return path;
    }),
  );
}

function aptOptions(state: string, architecture: Architecture): string[] {
  const settings = {
    'APT::Architecture': architecture.name,
    'APT::Architectures': architecture.name,
    'APT::Sandbox::User': 'root', // otherwise a warning when root cannot hand the folder to user _apt
    'Dir::State': state,
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache': join(state, 'cache'),
    'Acquire::Languages': 'none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
  };
  return ['-qq', ...Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])];
}

/** Downloads the packages that are missing, or all of them again with `refresh`, and says so through `say`. */
export async function fetchPackages(
  packages: DebianPackages,
  names: readonly string[],
  { refresh, say }: { refresh: boolean; say: (line: string) => void },
): Promise<void> {
  const found = await Promise.all(names.map((name) => findPackage(packages, name)));
  const wanted = names.filter((_, index) => refresh || !found[index]);
  if (wanted.length === 0) return;
  say(`downloading Debian packages for ${packages.architecture.name}: ${wanted.join(', ')}`);
  await withTemporaryFolder(packages.folder, async (state) => {
    await mkdir(join(state, 'lists/partial'), { recursive: true });
    await mkdir(join(state, 'cache/archives/partial'), { recursive: true });
    await mkdir(join(state, 'packages'));
    await writeFile(join(state, 'status'), '');
    const options = aptOptions(state, packages.architecture);
    await runCommand('apt-get', [...options, 'update']);
    await runCommand('apt-get', [...options, 'download', ...wanted], { cwd: join(state, 'packages') });
    await mkdir(packages.folder, { recursive: true });
    for (const file of await readdir(join(state, 'packages'))) {
      await rename(join(state, 'packages', file), join(packages.folder, file));
    }
  });
}

/** Unpacks packages into a folder. */
export async function unpackPackages(files: readonly string[], folder: string): Promise<void> {
  for (const file of files) await runCommand('dpkg-deb', ['--extract', file, folder]);
}
