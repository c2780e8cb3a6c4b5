/**
 * Builds the images' archives: what changed since the archive was written, and nothing else.
 * Called by `scripts/build-image`, which says how.
 */
import { stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Architecture, parseArchitecture } from './architecture.ts';
import { checkPrograms } from './check-programs.ts';
import { fetchPackages, packageFiles, readReleaseName } from './debian-packages.ts';
import { hashFiles, hashOf } from './fingerprint.ts';
import { readFingerprint, unpackLayers, writeImageArchive } from './image-archive.ts';
import type { ImageSettings } from './oci-image.ts';
import { packagesLabel, versionsOf } from './package-records.ts';
import type { Recipe, RecipeContext } from './recipe.ts';
import { demo } from './recipes/demo.ts';
import { headcut } from './recipes/headcut.ts';
import { kubectl } from './recipes/kubectl.ts';
import { pause } from './recipes/pause.ts';

const recipes: readonly Recipe[] = [pause, demo, headcut, kubectl];

/** Whoever owns that name is asked for nothing: the images are imported, and used with imagePullPolicy Never. */
const registry = 'headcut.dev';

export interface BuildRequest {
  readonly root: string;
  readonly cache: string;
  readonly out: string;
  readonly version: string;
  readonly architecture: Architecture;
  readonly recipes: readonly Recipe[];
  /** Folder that gets the files of each layer, as IMAGE/LAYER, if they are wanted. */
  readonly unpack?: string | undefined;
  /** Downloads Debian packages again, for their security updates. */
  readonly refresh: boolean;
  /** Builds also what has not changed. */
  readonly force: boolean;
  readonly say: (line: string) => void;
}

async function buildImage(recipe: Recipe, request: BuildRequest, context: RecipeContext): Promise<void> {
  const started = performance.now();
  const path = join(request.out, `${recipe.name}.tar`);
  const reference = `${registry}/${recipe.name}:${request.version}`;
  const fingerprint = hashOf([
    reference,
    request.architecture.name,
    await hashFiles(join(request.root, 'scripts/image'), join(request.root, 'scripts/bundle.ts')),
    await hashFiles(...context.packageFiles),
    ...(await recipe.inputs(context)),
  ]);
  const unchanged = !request.force && (await readFingerprint(path)) === fingerprint;
  if (!unchanged) {
    const settings = withPackages(recipe.settings, context.packageFiles);
    const layers = await recipe.build(context);
    await checkPrograms(layers, request.architecture);
    await writeImageArchive(path, { layers, settings, reference, architecture: request.architecture, fingerprint });
  }
  if (request.unpack) await unpackLayers(path, recipe.layers, join(request.unpack, recipe.name));
  const size = `${((await stat(path)).size / 1e6).toFixed(1)} MB`.padStart(9);
  const outcome = unchanged ? 'unchanged' : `built in ${((performance.now() - started) / 1000).toFixed(1)} s`;
  request.say(`${reference.padEnd(28)} ${size}  ${relative(process.cwd(), path).padEnd(26)} ${outcome}`);
}

/** Two machines may have fetched other versions of Debian's packages: the image says which it has. */
function withPackages(settings: ImageSettings, files: readonly string[]): ImageSettings {
  return { ...settings, Labels: { ...settings.Labels, [packagesLabel]: versionsOf(files) } };
}

/** Builds the images one after the other. */
export async function buildImages(request: BuildRequest): Promise<void> {
  const { root, cache, architecture, refresh, say } = request;
  const folder = join(cache, 'debian', `${await readReleaseName()}-${architecture.name}`);
  const packages = { folder, architecture };
  const names = request.recipes.flatMap((recipe) => recipe.debianPackages);
  await fetchPackages(packages, names, { refresh, say });
  for (const recipe of request.recipes) {
    const context = {
      root,
      cache,
      architecture,
      say,
      packageFiles: await packageFiles(packages, recipe.debianPackages),
    };
    await buildImage(recipe, request, context);
  }
}

/** Recipes of these names. Without names all, except that one which cannot be built yet is passed over with a message. */
function selectRecipes(names: readonly string[], root: string, say: (line: string) => void): Recipe[] {
  const unknown = names.find((name) => !recipes.some((recipe) => recipe.name === name));
  if (unknown) throw new Error(`unknown image ${unknown}; known: ${recipes.map((recipe) => recipe.name).join(', ')}`);
  const wanted = recipes.filter((recipe) => names.length === 0 || names.includes(recipe.name));
  return wanted.filter((recipe) => {
    const obstacle = recipe.obstacle?.(root);
    if (obstacle && names.length > 0) throw new Error(`cannot build ${recipe.name}: ${obstacle}`);
    if (obstacle) say(`skipped ${recipe.name}: ${obstacle}`);
    return !obstacle;
  });
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      arch: { type: 'string', default: process.arch },
      out: { type: 'string' },
      unpack: { type: 'string' },
      cache: { type: 'string' },
      refresh: { type: 'boolean', default: false },
      force: { type: 'boolean', default: false },
    },
  });
  const root = resolve(import.meta.dirname, '../..');
  const say = (line: string) => console.log(line);
  const architecture = parseArchitecture(values.arch);
  const isNative = architecture === parseArchitecture(process.arch);
  await buildImages({
    root,
    say,
    architecture,
    cache: resolve(values.cache ?? join(root, 'dist/cache')),
    out: resolve(values.out ?? join(root, 'dist/images', isNative ? '' : architecture.name)),
    version: await readVersion(root),
    recipes: selectRecipes(positionals, root, say),
    unpack: values.unpack && resolve(values.unpack),
    refresh: values.refresh,
    force: values.force,
  });
}

async function readVersion(root: string): Promise<string> {
  const { default: description } = await import(join(root, 'package.json'), { with: { type: 'json' } });
  return description.version;
}

if (import.meta.main) {
  await main().catch((error: Error) => {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  });
}
