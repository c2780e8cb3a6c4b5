/**
 * What an image tells about the Debian packages its files come from: their licence, and name and version
 * in `/var/lib/dpkg/status.d`, where vulnerability scanners look in images that have no dpkg.
 */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { runCommand } from './command.ts';
import type { TarEntry } from './tar-archive.ts';

/** The label of an image with the versions of the Debian packages that it has files of. */
export const packagesLabel = 'dev.headcut.debian-packages';

/** `libc6=2.36-9, nftables=1:1.0.6`. @param files as apt names them: NAME_VERSION_ARCHITECTURE.deb, a colon as %3a */
export function versionsOf(files: readonly string[]): string {
  const versions = files.map((file) => {
    const [name = '', version = ''] = basename(file).split('_');
    return `${name}=${decodeURIComponent(version)}`;
  });
  return versions.sort().join(', ');
}

async function recordOf(file: string, folder: string): Promise<TarEntry[]> {
  const control = await runCommand('dpkg-deb', ['--field', file]);
  const name = /^Package: (.+)$/m.exec(control)?.[1];
  if (!name) throw new Error(`${file} is not a Debian package`);
  const licence = `usr/share/doc/${name}/copyright`;
  // GCC's libraries have a link to the documentation of a package with GCC's version in its name: no licence file of their own.
  const text = await readFile(join(folder, licence)).catch(() => undefined);
  return [
    { kind: 'file', path: `var/lib/dpkg/status.d/${name}`, data: Buffer.from(control) },
    ...(text ? [{ kind: 'file', path: licence, data: text } as const] : []),
  ];
}

/** @param folder where the package files are unpacked */
export async function packageRecords(files: readonly string[], folder: string): Promise<TarEntry[]> {
  return (await Promise.all(files.map((file) => recordOf(file, folder)))).flat();
}
