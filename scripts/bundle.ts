/**
 * Bundles the agent and the command line into one file each, so that an image and a user's machine need Node and nothing from npm.
 *
 *     node scripts/bundle.ts [--analyze] [--sourcemap] [--page]
 *
 * --page: only the console's page, for a command that runs from the source tree.
 */
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import packageJson from '../package.json' with { type: 'json' };

/** One program: where its source starts and what its bundle is called below `dist/`. */
export interface BundleEntry {
  readonly source: string;
  readonly output: string;
  /** What the file begins with, if not as the others. */
  readonly head?: string;
}

export const agentEntry: BundleEntry = { source: 'src/bin/agent.ts', output: 'agent.mjs' };
/** What changes a node's network: a program of its own, as it has a right that the agent has not. */
export const networkEntry: BundleEntry = { source: 'src/bin/network.ts', output: 'network.mjs' };
/** What holds a fenced pod back until it may start. */
export const gateEntry: BundleEntry = { source: 'src/bin/gate.ts', output: 'gate.mjs' };
/** What stops fenced pods while the agent cannot. */
export const fenceEntry: BundleEntry = { source: 'src/bin/fence.ts', output: 'fence.mjs' };
/** What approves the certificates of virtual nodes: a program of its own, as it has a right that the agent must not have. */
export const approveEntry: BundleEntry = { source: 'src/bin/approve.ts', output: 'approve.mjs' };
/**
 * The command line in two: a first file that is next to nothing, so that the second one can come from node's compile cache.
 * That is CommonJS, where what is loaded when needed brings node's modules (HTTP, TLS …) only then; an ES module names all of
 * them at its head.
 */
export const cliEntry: BundleEntry = { source: 'src/bin/cli.ts', output: 'headcut.mjs' };
export const cliMainEntry: BundleEntry = { source: 'src/bin/cli-main.ts', output: 'headcut-main.cjs' };

/** The console: a program beside the command's, which starts sooner without a server in it. */
export const consoleEntry: BundleEntry = { source: 'src/bin/console.ts', output: 'headcut-console.cjs' };

const NEEDED_NODE = Number(packageJson.engines.node.replace(/^>=/, ''));

/**
 * The command line in one file, which takes some milliseconds more to start than the two. People have all kinds of Node: one that is too
 * old is told, for which it has to be able to read the file.
 */
export const aloneEntry: BundleEntry = {
  source: 'src/bin/cli-alone.ts',
  output: 'headcut-alone.cjs',
  head: `#!/usr/bin/env node
if (parseInt(process.versions.node, 10) < ${NEEDED_NODE}) {
  console.error('error: headcut needs Node.js ${NEEDED_NODE} or newer; this is ' + process.versions.node + ' (' + process.execPath + ')');
  process.exit(1);
}`,
};
const READABLE_BY = 'node18';

const entries = [agentEntry, networkEntry, gateEntry, fenceEntry, approveEntry, cliEntry, cliMainEntry, consoleEntry];

export interface BundleOptions {
  readonly root: string;
  readonly sourcemap?: boolean;
}

export interface Bundle {
  readonly code: Buffer;
  readonly sourcemap: Buffer | undefined;
  readonly metafile: Metafile;
}

/**
 * Dependencies that are CommonJS call `require` and `__dirname`, which an ES module lacks.
 * The names in the banner are long because esbuild does not see it and must not choose the same ones.
 */
const banner = `#!/usr/bin/env node
import { createRequire as __headcutCreateRequire } from 'node:module';
const require = __headcutCreateRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;`;

/** One program that loads another one finds it beside itself. */
const siblings: Plugin = {
  name: 'siblings',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\.\// }, ({ path, kind }) => {
      const entry = kind === 'dynamic-import' && entries.find(({ source }) => basename(source) === basename(path));
      return entry ? { path: `./${entry.output}`, external: true } : undefined;
    }),
};

/**
 * Of the Kubernetes client we use the reader of kubeconfigs alone. Its three hundred generated modules, which that names only to
 * make clients, took longer to run than all that is ours.
 */
const leanClient: Plugin = {
  name: 'lean-client',
  setup({ onResolve, onLoad, resolve: find }) {
    onResolve({ filter: /^@kubernetes\/client-node$/ }, ({ path, ...from }) => find(`${path}/dist/config.js`, from));
    onLoad({ filter: /client-node\/dist\/gen\/index\.js$/ }, () => ({
      contents: "export * from './configuration.js'; export * from './servers.js';",
    }));
  },
};

/**
 * Of undici we use the pool of connections alone. Its main module loads also fetch, caches, WebSocket and more, which takes as long
 * as all the rest of a short command, and some memory of the agent for ever.
 */
const leanUndici: Plugin = {
  name: 'lean-undici',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, ({ resolveDir }) => ({
      path: 'agent',
      namespace: 'lean-undici',
      pluginData: resolveDir,
    }));
    onLoad({ filter: /.*/, namespace: 'lean-undici' }, ({ pluginData }) => ({
      contents: [
        "const Dispatcher = require('undici/lib/dispatcher/dispatcher.js');",
        "Object.assign(Dispatcher.prototype, require('undici/lib/api'));",
        "exports.Agent = require('undici/lib/dispatcher/agent.js');",
      ].join('\n'),
      resolveDir: pluginData,
    }));
  },
};

const settings = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  minify: true,
  keepNames: true, // class names are error names and log fields
  metafile: true,
  write: false, // written by us, atomically: two runs may overlap
  legalComments: 'eof',
  logLevel: 'warning',
  plugins: [siblings, leanClient, leanUndici],
  define: { 'process.env.NODE_ENV': '"production"' },
} as const satisfies BuildOptions;

/** The bundle of one entry, in memory. */
export async function bundleEntry(entry: BundleEntry, options: BundleOptions): Promise<Bundle> {
  const result = await build({
    ...settings,
    ...(entry.output.endsWith('.cjs') ? { format: 'cjs' } : { format: 'esm', banner: { js: banner } }),
    ...(entry.head === undefined ? {} : { banner: { js: entry.head }, target: READABLE_BY }),
    absWorkingDir: options.root,
    entryPoints: [entry.source],
    outfile: join('dist', entry.output),
    sourcemap: options.sourcemap ?? false,
  });
  const find = (ending: string) => result.outputFiles.find((file) => file.path.endsWith(ending))?.contents;
  const sourcemap = find('.map');
  return {
    code: Buffer.from(find('js') ?? []),
    sourcemap: sourcemap ? Buffer.from(sourcemap) : undefined,
    metafile: result.metafile,
  };
}

/** The folder of the console's page, beside the program. */
export const PAGE_FOLDER = 'console';
const PAGE_SOURCE = 'src/console/page';

/** Writes the console's page into a folder: its script and style as one file each, and what goes as it is. */
export async function bundlePage(folder: string, { root }: BundleOptions): Promise<Metafile> {
  const { metafile } = await build({
    bundle: true,
    platform: 'browser',
    target: 'es2022',
    format: 'esm',
    minify: true,
    metafile: true,
    legalComments: 'none', // the licences go beside it (scripts/package)
    logLevel: 'warning',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    absWorkingDir: root,
    entryPoints: { page: join(PAGE_SOURCE, 'main.tsx') },
    outdir: folder,
  });
  for (const file of ['index.html', 'icon.svg']) await copyFile(join(root, PAGE_SOURCE, file), join(folder, file));
  return metafile;
}

/** The bytes that the inputs add to the bundle, the heaviest packages first. */
export function heaviestInputs(metafile: Metafile): { input: string; bytes: number }[] {
  const totals = new Map<string, number>();
  for (const output of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
      const input = /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? path;
      totals.set(input, (totals.get(input) ?? 0) + bytesInOutput);
    }
  }
  return [...totals].map(([input, bytes]) => ({ input, bytes })).sort((a, b) => b.bytes - a.bytes);
}

async function replaceFile(path: string, data: Buffer, mode: number): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, data);
  await chmod(temporary, mode);
  await rename(temporary, path);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { analyze: { type: 'boolean' }, sourcemap: { type: 'boolean' }, page: { type: 'boolean' } },
  });
  const root = resolve(import.meta.dirname, '..');
  await mkdir(join(root, 'dist'), { recursive: true });
  await bundlePage(join(root, 'dist', PAGE_FOLDER), { root });
  if (values.page === true) return;
  for (const entry of entries) {
    if (!existsSync(join(root, entry.source))) {
      console.log(`skipped dist/${entry.output}: ${entry.source} does not exist`);
      continue;
    }
    const bundle = await bundleEntry(entry, { root, sourcemap: values.sourcemap ?? false });
    const path = join(root, 'dist', entry.output);
    await replaceFile(path, bundle.code, 0o755);
    if (bundle.sourcemap) await replaceFile(`${path}.map`, bundle.sourcemap, 0o644);
    console.log(`dist/${entry.output}  ${(bundle.code.length / 1e6).toFixed(2)} MB`);
    if (!values.analyze) continue;
    for (const { input, bytes } of heaviestInputs(bundle.metafile).slice(0, 25)) {
      console.log(`${(bytes / 1e3).toFixed(1).padStart(10)} kB  ${input}`);
    }
  }
}

if (import.meta.main) await main();
