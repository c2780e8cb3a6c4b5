/**
 * Makes what people get the command from: the npm package (`npx headcut`), whose archive is that of the krew plugin as well.
 *
 *     npm run package [-- --url URL-OF-THE-ARCHIVE]
 *
 * Writes dist/headcut-VERSION.tgz, and with --url, where the archive will lie for krew to fetch, also dist/headcut.yaml for
 * `kubectl krew install --manifest`. The same sources give the same bytes.
 */
import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import packageJson from '../../package.json' with { type: 'json' };
import { aloneEntry, bundleEntry, bundlePage, consoleEntry, PAGE_FOLDER } from '../bundle.ts';
import { runCommand } from '../image/command.ts';
import { krewManifest } from './krew-manifest.ts';
import { thirdPartyLicences } from './third-party.ts';

const PROGRAM = 'headcut.cjs';

/** The package's own description: of the tree's, what concerns users. It depends on nothing, as the program is a bundle. */
export function packageDescription(): object {
  const { name, version, description, license, engines } = packageJson;
  const keywords = ['kubernetes', 'federation', 'multi-cluster', 'k0s', 'kubectl-plugin'];
  return {
    ...{ name, version, description, keywords, license, engines },
    // npx runs the one that is called as the package; kubectl finds the other one as its plugin.
    bin: { headcut: PROGRAM, 'kubectl-headcut': PROGRAM },
  };
}

async function assemble(folder: string, root: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const { code, metafile } = await bundleEntry(aloneEntry, { root });
  await writeFile(join(folder, PROGRAM), code);
  const server = await bundleEntry(consoleEntry, { root });
  await writeFile(join(folder, consoleEntry.output), server.code);
  const page = await bundlePage(join(folder, PAGE_FOLDER), { root });
  await chmod(join(folder, PROGRAM), 0o755);
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(packageDescription(), null, 2)}\n`);
  await writeFile(
    join(folder, 'THIRD-PARTY-LICENSES'),
    await thirdPartyLicences([metafile, server.metafile, page], root),
  );
  await cp(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  await cp(join(import.meta.dirname, 'README.md'), join(folder, 'README.md'));
}

/** Makes the archive. @param out folder that gets it @returns its path */
export async function buildPackage(root: string, out: string): Promise<string> {
  const folder = join(out, 'package');
  await assemble(folder, root);
  const output = await runCommand('npm', ['pack', '--json', '--offline', '--pack-destination', out], { cwd: folder });
  await rm(folder, { recursive: true });
  return join(out, JSON.parse(output)[0].filename);
}

/** Writes the plugin manifest of an archive beside it. @param url where the archive will be @returns its path */
export async function writeKrewManifest(archive: string, url: string): Promise<string> {
  const sha256 = createHash('sha256')
    .update(await readFile(archive))
    .digest('hex');
  const path = join(archive, '..', `${packageJson.name}.yaml`);
  const beside = { besides: [consoleEntry.output], folders: [PAGE_FOLDER] };
  await writeFile(path, krewManifest({ url, sha256, program: PROGRAM, ...beside }));
  return path;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { url: { type: 'string' } } });
  const root = resolve(import.meta.dirname, '../..');
  const archive = await buildPackage(root, join(root, 'dist'));
  const size = (await readFile(archive)).length;
  console.log(`${relative('', archive)}  ${(size / 1e3).toFixed(0)} kB`);
  if (values.url !== undefined) console.log(relative('', await writeKrewManifest(archive, values.url)));
  else console.log('no krew manifest: say by --url where the archive will be');
}

if (import.meta.main) await main();
