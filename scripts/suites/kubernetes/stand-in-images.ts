/**
 * Images in place of those that the tests of Kubernetes ask for, where no registry can be reached: the test program's own server
 * (agnhost) on a minimal Debian system, and busybox with bash as its shell, since Debian's drops variables whose names have a dash.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArchitecture } from '../../image/architecture.ts';
import { busyboxEntries } from '../../image/busybox-layer.ts';
import { cachedFile } from '../../image/cache.ts';
import { runCommand } from '../../image/command.ts';
import { readReleaseName } from '../../image/debian-packages.ts';
import { hashFiles, hashOf } from '../../image/fingerprint.ts';
import { readFingerprint, writeImageArchive } from '../../image/image-archive.ts';
import { type Blob, createLayer, type ImageSettings, toBlob } from '../../image/oci-image.ts';
import { libraryEntries } from '../../image/shared-libraries.ts';
import type { TarEntry } from '../../image/tar-archive.ts';

/** What the tests call inside of containers, beyond Debian's minimal system. */
const PACKAGES = [
  'curl',
  'netcat-openbsd',
  'bind9-dnsutils',
  'iproute2',
  'iperf',
  'perl',
  'busybox-static',
  'bash-static',
];
/** A test looks for them: https://github.com/kubernetes/kubernetes/blob/v1.36.0/test/images/agnhost/Dockerfile */
const USERS = [
  'echo "user-defined-in-image:x:1000:1000::/:/bin/sh" >> "$1/etc/passwd"',
  'echo "user-defined-in-image:x:1000:" >> "$1/etc/group"',
  'echo "group-defined-in-image:x:50000:user-defined-in-image" >> "$1/etc/group"',
];
const NO_TEXTS = ['man', 'doc', 'locale', 'info'].map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`);

export interface StandInContext {
  /** Folder of the compiled tools. */
  tools: string;
  /** Folder for what is kept between runs. */
  cache: string;
  /** Folder for the archives. */
  out: string;
}

interface StandIn {
  name: string;
  /** What the last part of an image's name is, before its tag. */
  standsFor: RegExp;
  settings: ImageSettings;
  layers(context: StandInContext): Promise<Blob[]>;
}

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const agnhostSettings = { Env: [PATH], Entrypoint: ['/agnhost'], Cmd: ['pause'] };

/** The Go module that the test program is compiled from. */
const MODULE = join(import.meta.dirname, '../../tools/conformance');

/** What an image is made anew for, if it changes. */
const SOURCES = [import.meta.filename, join(import.meta.dirname, '../../image/busybox-layer.ts')];

const STAND_INS: readonly StandIn[] = [
  {
    name: 'agnhost',
    standsFor: /^(agnhost|perl)$/,
    settings: agnhostSettings,
    layers: async (context) => [await debianLayer(context), await agnhostLayer(context)],
  },
  {
    name: 'socat',
    standsFor: /^(socat|netshoot)$/,
    settings: { Env: [PATH], Cmd: ['sh'] },
    layers: async (context) => [await debianLayer(context), await socatLayer()],
  },
  {
    name: 'update-demo-nautilus',
    standsFor: /^nautilus$/,
    settings: { ...agnhostSettings, Cmd: ['test-webserver'] },
    layers: async (context) => [await agnhostLayer(context), await updateDemo('nautilus')],
  },
  {
    name: 'update-demo-kitten',
    standsFor: /^kitten$/,
    settings: { ...agnhostSettings, Cmd: ['test-webserver'] },
    layers: async (context) => [await agnhostLayer(context), await updateDemo('kitten')],
  },
  {
    name: 'nonewprivs',
    standsFor: /^nonewprivs$/,
    settings: { Env: [PATH], Cmd: ['/usr/local/bin/nnp'] },
    layers: async (context) => [
      await busyboxLayer(),
      await createLayer([
        { kind: 'file', path: 'usr/local/bin/nnp', data: await tool(context, 'nonewprivs'), mode: 0o6755 },
      ]),
    ],
  },
  {
    name: 'web-server',
    standsFor: /^(nginx|httpd)$/,
    settings: { Env: [PATH], Cmd: ['/bin/busybox', 'httpd', '-f', '-p', '80', '-h', '/www'] },
    layers: async () => [
      await busyboxLayer(),
      await createLayer([{ kind: 'file', path: 'www/index.html', data: Buffer.from('It works!\n') }]),
    ],
  },
  {
    name: 'busybox',
    standsFor: /^busybox$/,
    settings: { Env: [PATH], Cmd: ['sh'] },
    layers: async () => [await busyboxLayer()],
  },
  {
    name: 'nonroot',
    standsFor: /^nonroot$/,
    settings: { Env: [PATH], Cmd: ['sh'], User: '1234' },
    layers: async () => [await busyboxLayer()],
  },
  {
    name: 'pause',
    standsFor: /^pause$/,
    settings: { User: '65535:65535', Entrypoint: ['/agnhost'], Cmd: ['pause'] },
    layers: async (context) => [await agnhostLayer(context)],
  },
];

/**
 * Makes the archives that hold a stand-in for each of these images.
 * @param references as the test program lists them
 * @returns paths of archives to import, and images for which there is no stand-in
 */
export async function buildStandIns(
  references: readonly string[],
  context: StandInContext,
): Promise<{ archives: string[]; missing: string[] }> {
  const archives: string[] = [];
  for (const standIn of STAND_INS) {
    const names = references.filter((reference) => standIn.standsFor.test(baseName(reference)));
    if (names.length > 0) archives.push(await buildStandIn(standIn, names.toSorted(), context));
  }
  const missing = references.filter((reference) => !STAND_INS.some((one) => one.standsFor.test(baseName(reference))));
  return { archives, missing };
}

async function buildStandIn(standIn: StandIn, names: readonly string[], context: StandInContext): Promise<string> {
  const path = join(context.out, `${standIn.name}.tar`);
  const inputs = [...SOURCES, join(context.tools, 'agnhost'), join(context.tools, 'nonewprivs')];
  const fingerprint = hashOf([...names, await hashFiles(...inputs)]);
  if ((await readFingerprint(path)) === fingerprint) return path;
  const [reference = '', ...aliases] = names;
  const layers = await standIn.layers(context);
  const architecture = parseArchitecture(process.arch);
  await writeImageArchive(path, { reference, aliases, architecture, settings: standIn.settings, layers, fingerprint });
  return path;
}

/** `busybox` of `HOST/PATH/busybox:1.37.0-1`. */
function baseName(reference: string): string {
  return /([^/:]+)(:[^/]*)?$/.exec(reference)?.[1] ?? '';
}

function tool(context: StandInContext, name: string): Promise<Buffer> {
  return readFile(join(context.tools, name));
}

/** A minimal system, made by mmdebstrap, which installs packages with all that they depend on. */
async function debianLayer({ cache }: StandInContext): Promise<Blob> {
  const release = await readReleaseName();
  const key = hashOf([release, ...PACKAGES, ...USERS]).slice(0, 16);
  const path = await cachedFile(join(cache, 'suites', `debian-${key}.tar`), async (temporary) => {
    const hooks = ['ln -sf bash "$1/bin/sh"', ...USERS].map((hook) => `--customize-hook=${hook}`);
    const tar = `${temporary}.tar`;
    const include = `--include=${PACKAGES.join(',')}`;
    await runCommand('mmdebstrap', ['--quiet', '--variant=minbase', include, ...NO_TEXTS, ...hooks, release, tar]);
    await runCommand('mv', [tar, temporary]);
  });
  return toBlob(await readFile(path));
}

/** This machine's Debian package `socat`, for the minimal system below it, which has a loader and merged folders. */
async function socatLayer(): Promise<Blob> {
  const libraries = await libraryEntries('/usr/bin/socat', '/', parseArchitecture(process.arch));
  return createLayer([
    { kind: 'file', path: 'usr/bin/socat', data: await readFile('/usr/bin/socat'), mode: 0o755 },
    ...libraries
      .filter(({ path }) => path.startsWith('lib/'))
      .map((entry) => ({ ...entry, path: `usr/${entry.path}` })),
  ]);
}

async function agnhostLayer(context: StandInContext): Promise<Blob> {
  const data = await tool(context, 'agnhost');
  const sources = await runCommand('go', ['list', '-m', '-f', '{{.Dir}}', 'k8s.io/kubernetes'], { cwd: MODULE });
  // Tests ask for them by HTTP, and by their names.
  const files = ['localhost.crt', 'localhost.key'].map(async (name): Promise<TarEntry> => {
    const path = join(sources.trim(), 'test/images/agnhost/porter', name);
    return { kind: 'file', path: name, data: await readFile(path) };
  });
  return createLayer([
    ...(await Promise.all(files)),
    { kind: 'file', path: 'agnhost', data, mode: 0o755 },
    { kind: 'symlink', path: 'agnhost-2', target: 'agnhost' },
    { kind: 'directory', path: 'uploads', mode: 0o777 },
  ]);
}

/** What the web server of `kubectl`'s demo of updates shows. */
function updateDemo(name: string): Promise<Blob> {
  const data = Buffer.from(JSON.stringify({ image: `${name}.jpg` }));
  return createLayer([{ kind: 'file', path: 'data.json', data }]);
}

/** Busybox and bash of this machine's Debian packages `busybox-static` and `bash-static`. */
async function busyboxLayer(): Promise<Blob> {
  const shell = { name: 'bash', data: await readFile('/bin/bash-static') };
  return createLayer([
    ...busyboxEntries(await readFile('/bin/busybox'), shell),
    { kind: 'directory', path: 'root', mode: 0o700 },
  ]);
}
