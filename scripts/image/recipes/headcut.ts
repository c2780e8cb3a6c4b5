/** The agent: Node and the tools of the pod network with just the libraries they need, and the bundles. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import packageJson from '../../../package.json' with { type: 'json' };
import {
  agentEntry,
  approveEntry,
  bundleEntry,
  cliEntry,
  cliMainEntry,
  fenceEntry,
  gateEntry,
  networkEntry,
} from '../../bundle.ts';
import type { Architecture } from '../architecture.ts';
import { cachedFile } from '../cache.ts';
import { hashFiles, hashOf } from '../fingerprint.ts';
import { findNodeBinary, pinnedNodePackage } from '../node-binary.ts';
import { type Blob, createLayer, toBlob } from '../oci-image.ts';
import { packageRecords } from '../package-records.ts';
import { imageUser, type Recipe, type RecipeContext, withUnpackedPackages } from '../recipe.ts';
import { libraryEntries } from '../shared-libraries.ts';
import { stripProgram } from '../strip.ts';
import type { TarEntry } from '../tar-archive.ts';
import { buildWireguardGo, wireguardGoKey, wireguardGoLicences } from '../wireguard-go.ts';

const nodePath = 'usr/local/bin/node';
const bundles = [agentEntry, networkEntry, gateEntry, fenceEntry, approveEntry, cliEntry, cliMainEntry];

/** What the pod network is made with, besides wireguard-go: programs as Debian's packages have them. */
const networkTools = ['usr/sbin/nft', 'bin/ip', 'usr/bin/wg'];
const networkPackages = [
  ...['nftables', 'libnftables1', 'libedit2', 'libmnl0', 'libnftnl11', 'libxtables12', 'libjansson4', 'libgmp10'],
  ...['libtinfo6', 'libbsd0', 'libmd0'],
  ...['iproute2', 'libbpf1', 'libelf1', 'libcap2', 'zlib1g'],
  'wireguard-tools',
];

/** One kind of memory a flag: see *Decisions* in src/README.md for what each saves. */
export const nodeFlags = ['--max-semi-space-size=1'];

const systemFiles: readonly TarEntry[] = [
  file('etc/passwd', `root:x:0:0:root:/:/sbin/nologin\nheadcut:x:${imageUser}:${imageUser}:headcut:/:/sbin/nologin\n`),
  file('etc/group', `root:x:0:\nheadcut:x:${imageUser}:\n`),
  file('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
  { kind: 'directory', path: 'tmp', mode: 0o1777 },
  { kind: 'symlink', path: 'usr/local/bin/headcut', target: '/app/headcut.mjs' },
];

function file(path: string, text: string): TarEntry {
  return { kind: 'file', path, data: Buffer.from(text) };
}

/** What the base layer is made from. The files of `scripts/` are part of it, as they decide its form. */
async function baseKey(context: RecipeContext): Promise<string> {
  const { version, integrity } = await pinnedNodePackage(context.root, context.architecture);
  const scripts = await hashFiles(join(context.root, 'scripts/image'));
  return hashOf([version, integrity, scripts, await wireguardGoKey(), await hashFiles(...context.packageFiles)]);
}

async function buildBase(context: RecipeContext): Promise<Blob> {
  const pinned = await pinnedNodePackage(context.root, context.architecture);
  const binary = await findNodeBinary(pinned, context);
  return withUnpackedPackages(context, async (folder) => {
    const node = join(folder, 'node');
    await stripProgram(binary, node, context);
    return createLayer([
      { kind: 'file', path: nodePath, data: await readFile(node), mode: 0o755 },
      ...(await libraryEntries(node, folder, context.architecture)),
      ...(await toolEntries(folder, context.architecture)),
      ...(await wireguardGoEntries(context)),
      ...(await packageRecords(context.packageFiles, folder)),
      ...systemFiles,
    ]);
  });
}

async function toolEntries(folder: string, architecture: Architecture): Promise<TarEntry[]> {
  const entries = networkTools.map(async (tool): Promise<TarEntry[]> => {
    const program = join(folder, tool);
    const path = `usr/local/bin/${basename(tool)}`;
    return [
      { kind: 'file', path, data: await readFile(program), mode: 0o755 },
      ...(await libraryEntries(program, folder, architecture)),
    ];
  });
  return (await Promise.all(entries)).flat();
}

async function wireguardGoEntries(context: RecipeContext): Promise<TarEntry[]> {
  const program = await readFile(await buildWireguardGo(context));
  const licences = await readFile(await wireguardGoLicences(context));
  return [
    { kind: 'file', path: 'usr/local/bin/wireguard-go', data: program, mode: 0o755 },
    { kind: 'file', path: 'usr/share/doc/wireguard-go/copyright', data: licences },
  ];
}

/** The layer that changes with Node, Debian or Go only, 115 MB; from the cache if it was built before. */
async function baseLayer(context: RecipeContext): Promise<Blob> {
  const path = join(context.cache, 'layers', `headcut-${context.architecture.name}-${await baseKey(context)}.tar`);
  let built: Blob | undefined;
  await cachedFile(path, async (temporary) => {
    built = await buildBase(context);
    await writeFile(temporary, built.data);
  });
  return built ?? toBlob(await readFile(path));
}

async function appLayer(root: string): Promise<Blob> {
  const programs = await Promise.all(bundles.map((entry) => bundleEntry(entry, { root })));
  // The image has no /usr/bin/env for the bundle's first line.
  const program = (code: Buffer) => Buffer.from(code.toString().replace('#!/usr/bin/env node', `#!/${nodePath}`));
  return createLayer(
    programs.map(({ code }, index) => ({
      kind: 'file',
      path: `app/${bundles[index]!.output}`,
      data: program(code),
      mode: 0o755,
    })),
  );
}

export const headcut: Recipe = {
  name: 'headcut',
  debianPackages: ['libc6', 'libgcc-s1', 'libstdc++6', ...networkPackages],
  // scripts/image/Dockerfile says these again; a test holds the two together.
  settings: {
    User: `${imageUser}:${imageUser}`,
    Env: ['PATH=/usr/local/bin', 'NODE_ENV=production'],
    Entrypoint: [`/${nodePath}`, ...nodeFlags, '/app/agent.mjs'],
    Labels: {
      'org.opencontainers.image.title': 'headcut',
      'org.opencontainers.image.description': packageJson.description,
      'org.opencontainers.image.version': packageJson.version,
      'org.opencontainers.image.licenses': packageJson.license,
    },
  },
  layers: ['base', 'app'],
  obstacle(root) {
    const missing = bundles.find((entry) => !existsSync(join(root, entry.source)));
    return missing && `${missing.source} does not exist`;
  },
  inputs: async (context) => [
    await baseKey(context),
    await hashFiles(
      join(context.root, 'src'),
      // Part of the command line.
      join(context.root, 'manifests', 'generated'),
      join(context.root, 'package-lock.json'),
      join(context.root, 'package.json'),
    ),
  ],
  async build(context) {
    return Promise.all([baseLayer(context), appLayer(context.root)]);
  },
};
