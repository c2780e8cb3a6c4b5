import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execute, runCommand } from '../../src/runtime/command.ts';
import { VERSION } from '../../src/runtime/version.ts';
import { PROTOCOL_VERSION } from '../../src/wire/endpoints.ts';
import { clusterFlags } from './headcut-command.ts';
import { thisLab } from './this-lab.ts';

/**
 * A build of headcut as it was before this one: this tree under a lower version, one minor of the wire lower. What it was really like
 * is not in a checkout without history. Where that is at hand, HEADCUT_OLDER_TREE names a folder with it (git archive REVISION).
 */

const ROOT = join(import.meta.dirname, '../..');
const GIVEN = process.env.HEADCUT_OLDER_TREE;
const SOURCE = GIVEN ?? ROOT;
const PROTOCOL_LINE = /PROTOCOL_VERSION = (\d+);/;
const sourceText = (file: string): string => readFileSync(join(SOURCE, file), 'utf8');

/** Lower than any. */
export const OLDER_VERSION = '0.0.9';
export const OLDER_PROTOCOL =
  GIVEN === undefined
    ? PROTOCOL_VERSION - 1
    : Number(PROTOCOL_LINE.exec(sourceText('src/wire/endpoints.ts'))?.[1] ?? Number.NaN);
/** Before 0.1.0 was ready, members showed versions in no status. */
export const OLDER_SHOWS_VERSIONS = sourceText('manifests/10-crd-peer.yaml').includes('.status.version');

/** One place for all runs, or those that were killed would fill the disk. */
const TREE = join(ROOT, 'dist', 'older');
const PARTS = ['src', 'scripts', 'manifests', 'package.json', 'package-lock.json'];
/** With its base already in the cache it takes seconds. */
const BUILD_WITHIN_MS = 4 * 60_000;
const LOAD_WITHIN_MS = 2 * 60_000;
const INSTALL_WITHIN_MS = 200_000;
const REMOVE_WITHIN_MS = 30_000;

const image = (version: string): string => `headcut.dev/headcut:${version}`;
const IMAGE_REFERENCE = /headcut\.dev\/headcut:[\w.-]+/g;

/** What makes it another build: file → what stands there, and what does in its place. */
const CHANGES: Record<string, readonly [RegExp, string]> = {
  'package.json': [/"version": ".*"/, `"version": "${OLDER_VERSION}"`],
  'src/wire/endpoints.ts': [PROTOCOL_LINE, `PROTOCOL_VERSION = ${OLDER_PROTOCOL};`],
  'manifests/50-agent.yaml': [IMAGE_REFERENCE, image(OLDER_VERSION)],
  'manifests/55-fence.yaml': [IMAGE_REFERENCE, image(OLDER_VERSION)],
  'manifests/56-approver.yaml': [IMAGE_REFERENCE, image(OLDER_VERSION)],
  'manifests/optional/remove-network.yaml': [IMAGE_REFERENCE, image(OLDER_VERSION)],
};

/** Makes the older build, and brings its image into every cluster of the lab. */
export async function makeOlderBuild(): Promise<void> {
  rmSync(TREE, { recursive: true, force: true });
  mkdirSync(TREE, { recursive: true });
  for (const part of PARTS) cpSync(join(SOURCE, part), join(TREE, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(TREE, 'node_modules'));
  for (const [file, [present, older]] of Object.entries(CHANGES)) {
    // Older ones have not all of them.
    if (!existsSync(join(SOURCE, file))) continue;
    const text = sourceText(file);
    if (text.search(present) < 0)
      throw new Error(`${file} has nothing like ${present}: adapt the list of changes here`);
    writeFileSync(join(TREE, file), text.replace(present, older));
  }
  const limits = { cwd: TREE, timeoutMs: BUILD_WITHIN_MS };
  await execute([process.execPath, join(TREE, 'scripts', 'manifests.ts')], limits);
  await execute([join(TREE, 'scripts', 'build-image'), 'headcut'], limits);
  const { topology, provider } = thisLab(LOAD_WITHIN_MS);
  const archive = join(TREE, 'dist', 'images', 'headcut.tar');
  await Promise.all(topology.clusters.map((cluster) => provider.loadImage(cluster, archive)));
}

/** Removes what `makeOlderBuild` made; no agent may be of that build any more. */
export async function removeOlderBuild(): Promise<void> {
  rmSync(TREE, { recursive: true, force: true });
  const { topology, provider } = thisLab(REMOVE_WITHIN_MS);
  for (const cluster of topology.clusters) {
    const env = provider.shellEnvironment(cluster);
    // Clusters that are containers go with all that is in them.
    if (env === undefined) continue;
    const argv = await provider.inNamespaces(cluster, ['ctr', 'images', 'remove', image(OLDER_VERSION)]);
    await runCommand(argv, { env, timeoutMs: REMOVE_WITHIN_MS });
  }
}

/** `headcut install` of that build or of the present one, as a user runs it. */
export async function install(build: 'older' | 'present', cluster: string): Promise<void> {
  const cli = join(build === 'older' ? TREE : ROOT, 'src', 'bin', 'cli.ts');
  const argv = [process.execPath, cli, 'install', '--csr-approver', ...clusterFlags(cluster)];
  const version = build === 'older' ? OLDER_VERSION : VERSION;
  const printed = await execute(argv, { timeoutMs: INSTALL_WITHIN_MS });
  if (!printed.includes(`Installed headcut ${version};`)) throw new Error(`headcut install printed: ${printed}`);
}
