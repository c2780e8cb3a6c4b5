/** Image archives on disk. */
import { createReadStream } from 'node:fs';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
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
