/** Image archives on disk. */
import { createReadStream } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCommand } from './command.ts';
import { fingerprintAnnotation, type Image, imageFiles } from './oci-image.ts';
import { packTar, readTar } from './tar-archive.ts';

export async function writeImageArchive(path: string, image: Image): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, await packTar(imageFiles(image)));
  await rename(temporary, path);
}

/** The fingerprint that the archive was written with; undefined when there is no archive or not one of ours. */
export async function readFingerprint(path: string): Promise<string | undefined> {
  if (!(await stat(path).catch(() => undefined))?.isFile()) return undefined;
  try {
    for await (const file of readTar(createReadStream(path))) {
      if (file.path !== 'index.json') return undefined;
      return JSON.parse(file.data.toString()).annotations?.[fingerprintAnnotation];
    }
  } catch {
    return undefined; // not a tar, or cut short: as good as absent
  }
  return undefined;
}

/** Puts the files of each layer into a folder of its own below `target`, called as `names` says. */
export async function unpackLayers(path: string, names: readonly string[], target: string): Promise<void> {
  const contents = new Map<string, Buffer>();
  for await (const file of readTar(createReadStream(path))) contents.set(file.path, file.data);
  const [image] = JSON.parse(contents.get('manifest.json')?.toString() ?? '[]') as { Layers: string[] }[];
  const layers = image?.Layers ?? [];
  if (layers.length !== names.length)
    throw new Error(`${path} has ${layers.length} layers, not ${names.join(' and ')}`);
  for (const [index, name] of names.entries()) {
    const folder = join(target, name);
    const archive = `${folder}.tar`;
    await mkdir(folder, { recursive: true });
    await writeFile(archive, contents.get(layers[index] ?? '') ?? '');
    await runCommand('tar', ['--extract', '--preserve-permissions', '--file', archive, '--directory', folder]);
    await rm(archive);
  }
}
