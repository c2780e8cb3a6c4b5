/** Takes the symbol table out of programs of any architecture. */
import { join } from 'node:path';
import { type Architecture, parseArchitecture } from './architecture.ts';
import { withTemporaryFolder } from './cache.ts';
import { runCommand } from './command.ts';
import { fetchPackages, packageFiles, readReleaseName, unpackPackages } from './debian-packages.ts';

export interface StripOptions {
  /** That of the program. */
  readonly architecture: Architecture;
  /** The folder below the user's cache that belongs to image builds. */
  readonly cache: string;
  readonly say: (line: string) => void;
}

/** Writes the program without it to `target`. It is 18 of 127 MB of Node (24.21). */
export async function stripProgram(program: string, target: string, options: StripOptions): Promise<void> {
  const args = ['-o', target, program];
  const { architecture, cache } = options;
  const native = parseArchitecture(process.arch);
  if (architecture === native) return void (await runCommand('strip', args));
  const packages = await foreignBinutils(native, options);
  await withTemporaryFolder(join(cache, 'binutils'), async (folder) => {
    await unpackPackages(packages, folder);
    const env = { ...process.env, LD_LIBRARY_PATH: join(folder, 'usr/lib', native.triplet) };
    await runCommand(join(folder, 'usr/bin', `${architecture.triplet}-strip`), args, { env });
  });
}

/** Debian's package of what runs here and knows the other architecture; fetched as those of an image are, not installed. */
async function foreignBinutils(native: Architecture, { architecture, cache, say }: StripOptions): Promise<string[]> {
  const names = [`binutils-${architecture.triplet.replace('_', '-')}`];
  const folder = join(cache, 'debian', `${await readReleaseName()}-${native.name}`);
  await fetchPackages({ folder, architecture: native }, names, { refresh: false, say });
  return packageFiles({ folder, architecture: native }, names);
}
