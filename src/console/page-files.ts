import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../core/coded-error.ts';

/** The files of the page, each under its address. Nothing of a request ever leads to another file. */
export const PAGE_FILES = {
  '': { file: 'index.html', type: 'text/html; charset=utf-8' },
  'page.js': { file: 'page.js', type: 'text/javascript; charset=utf-8' },
  'page.css': { file: 'page.css', type: 'text/css; charset=utf-8' },
  'icon.svg': { file: 'icon.svg', type: 'image/svg+xml' },
} as const;

export interface PageFile {
  type: string;
  body: Buffer;
}

/** Reads them all, once. @param folder where the bundler put them */
export async function readPageFiles(folder: string): Promise<Map<string, PageFile>> {
  try {
    const entries = Object.entries(PAGE_FILES).map(
      async ([path, { file, type }]): Promise<[string, PageFile]> => [
        path,
        { type, body: await readFile(join(folder, file)) },
      ],
    );
    return new Map(await Promise.all(entries));
  } catch (error) {
    throw new CodedError(
      'FailedPrecondition',
      'the page of the console is not beside this command: run headcut console on your own machine, with the command from its package (npx headcut console) or from the source tree',
      error,
    );
  }
}
