/** The licences of what a bundle holds of others; they go with it wherever it goes. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

const LICENCE_FILE = /^(licen[cs]e|copying)(\.(md|txt|mit))?$/i;

/** Folders, below `node_modules`, of the packages that have a part in these bundles. */
export function bundledPackages(metafiles: readonly Metafile[]): string[] {
  const inputs = metafiles
    .flatMap(({ outputs }) => Object.values(outputs))
    .flatMap(({ inputs }) => Object.entries(inputs));
  const names = inputs
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? '');
  return [...new Set(names)].filter((name) => name !== '').sort();
}

async function licenceOf(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find((one) => LICENCE_FILE.test(one));
  const text = file === undefined ? '' : `\n\n${(await readFile(join(folder, file), 'utf8')).trim()}`;
  if (!license && text === '') throw new Error(`${folder} does not say under which licence it is`);
  return `${name} ${version}: ${license ?? 'see below'}${text}\n`;
}

/** One text with the licences of all packages of these bundles. */
export async function thirdPartyLicences(metafiles: readonly Metafile[], root: string): Promise<string> {
  const texts = await Promise.all(bundledPackages(metafiles).map((name) => licenceOf(join(root, name))));
  return `headcut holds parts of these packages.\n\n${texts.join(`\n${'-'.repeat(78)}\n`)}`;
}
