/** The Node binary of any architecture: the npm package that package-lock.json pins. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Architecture } from './architecture.ts';
import { cachedFile } from './cache.ts';
import { runCommand } from './command.ts';

export interface NodePackage {
  readonly name: string;
  readonly version: string;
  /** As in package-lock.json: `sha512-…` */
  readonly integrity: string;
}

export async function pinnedNodePackage(root: string, architecture: Architecture): Promise<NodePackage> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
  const name = architecture.nodePackage;
  const { version, integrity } = lock.packages?.[`node_modules/${name}`] ?? {};
  if (!version || !integrity) throw new Error(`package-lock.json does not pin ${name}`);
  return { name, version, integrity };
}

async function downloadNode({ name, version, integrity }: NodePackage, target: string): Promise<void> {
  const folder = dirname(target);
  const output = await runCommand('npm', ['pack', '--json', '--pack-destination', folder, `${name}@${version}`]);
  const archive = join(folder, JSON.parse(output)[0].filename);
  const hash = `sha512-${createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')}`;
  if (hash !== integrity) throw new Error(`${name}@${version} is not what package-lock.json pins`);
  await runCommand('tar', ['-xzf', archive, '-C', folder, 'package/bin/node']);
  await rename(join(folder, 'package/bin/node'), target);
}

/** Path of the binary: the installed one, or for another architecture one downloaded into the cache. */
export async function findNodeBinary(
  pinned: NodePackage,
  { root, cache, say }: { root: string; cache: string; say: (line: string) => void },
): Promise<string> {
  const installed = join(root, 'node_modules', pinned.name);
  const version = await readFile(join(installed, 'package.json'), 'utf8').then(
    (text) => JSON.parse(text).version,
    () => '',
  );
  if (version === pinned.version && existsSync(join(installed, 'bin/node'))) return join(installed, 'bin/node');
  return cachedFile(join(cache, 'node', `${pinned.name}-${pinned.version}`), async (temporary) => {
    say(`downloading ${pinned.name}@${pinned.version} from npm`);
    await downloadNode(pinned, temporary);
  });
}
