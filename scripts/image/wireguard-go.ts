/** wireguard-go for any architecture, compiled from the Go module that `wireguard-go/go.mod` beside this file pins. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from './architecture.ts';
import { cachedFile } from './cache.ts';
import { runCommand } from './command.ts';
import { hashFiles, hashOf } from './fingerprint.ts';

const MODULE = join(import.meta.dirname, 'wireguard-go');
const PACKAGE = 'golang.zx2c4.com/wireguard';
const FLAGS = ['-trimpath', '-ldflags', '-w -s'];
/** Prints the folder of each module that the program is made from, the standard library's without a module left out. */
const MODULE_FOLDERS = '{{with .Module}}{{.Dir}}{{end}}';

export interface GoBuild {
  /** The folder below the user's cache that belongs to image builds. */
  readonly cache: string;
  readonly architecture: Architecture;
  readonly say: (line: string) => void;
}

/** What the program is made from: its pins, and the compiler with its standard library. */
export async function wireguardGoKey(): Promise<string> {
  const compiler = await runCommand('go', ['env', 'GOVERSION'], { cwd: MODULE });
  return hashOf([await hashFiles(MODULE), compiler.trim(), ...FLAGS]);
}

/** Path of the program; compiled once for its pins. */
export async function buildWireguardGo({ cache, architecture, say }: GoBuild): Promise<string> {
  const path = join(cache, 'wireguard-go', `${architecture.name}-${await wireguardGoKey()}`);
  return cachedFile(path, async (temporary) => {
    say(`compiling wireguard-go for ${architecture.name}`);
    await go(architecture, ['build', ...FLAGS, '-o', temporary, PACKAGE]);
  });
}

/** Path of the licences of all that the program holds; they go with it wherever it goes. */
export async function wireguardGoLicences({ cache, architecture }: GoBuild): Promise<string> {
  const path = join(cache, 'wireguard-go', `licences-${await wireguardGoKey()}`);
  return cachedFile(path, async (temporary) => {
    const root = await go(architecture, ['env', 'GOROOT']);
    const folders = await go(architecture, ['list', '-deps', '-f', MODULE_FOLDERS, PACKAGE]);
    const names = [...new Set([...folders.split('\n').filter((line) => line !== ''), root.trim()])];
    const texts = await Promise.all(names.map((folder) => readFile(join(folder, 'LICENSE'), 'utf8')));
    await writeFile(temporary, [...new Set(texts)].join('\n'));
  });
}

function go(architecture: Architecture, args: readonly string[]): Promise<string> {
  const env = { ...process.env, CGO_ENABLED: '0', GOOS: 'linux', GOARCH: architecture.name };
  return runCommand('go', args, { cwd: MODULE, env });
}
