/** Tar archives whose bytes depend on nothing but the entries: no times, no user names, no file system order. */
import { Readable } from 'node:stream';
import { extract, type Header, pack } from 'tar-stream';

/** Paths are relative, without a leading or trailing slash. */
export type TarEntry =
  | { readonly kind: 'file'; readonly path: string; readonly data: Uint8Array; readonly mode?: number }
  | { readonly kind: 'directory'; readonly path: string; readonly mode?: number; readonly owner?: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string };

const epoch = new Date(0);

const defaultModes = { file: 0o644, directory: 0o755, symlink: 0o777 } as const;

function headerOf(entry: TarEntry) {
  const owner = entry.kind === 'directory' ? (entry.owner ?? 0) : 0;
  return {
    name: entry.kind === 'directory' ? `${entry.path}/` : entry.path,
    type: entry.kind,
    mode: (entry.kind === 'symlink' ? undefined : entry.mode) ?? defaultModes[entry.kind],
    mtime: epoch,
    uid: owner,
    gid: owner,
    ...(entry.kind === 'file' ? { size: entry.data.length } : {}),
    ...(entry.kind === 'symlink' ? { linkname: entry.target } : {}),
  };
}

/** The archive, entries in the order given. */
export async function packTar(entries: readonly TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const entry of entries) archive.entry(headerOf(entry), entry.kind === 'file' ? entry.data : '');
  archive.finalize();
  return collect(archive);
}

async function collect(source: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Adds the directories that the paths imply and sorts by path, so that each directory precedes what it holds. */
export function asFileTree(entries: readonly TarEntry[]): TarEntry[] {
  const tree = new Map<string, TarEntry>();
  for (const { path } of entries) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = parts.slice(0, depth).join('/');
      tree.set(parent, { kind: 'directory', path: parent });
    }
  }
  for (const entry of entries) tree.set(entry.path, entry);
  return [...tree.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** An entry as an archive holds it; `path` of a directory ends with a slash. */
export type PackedEntry = Header & { readonly path: string; readonly data: Buffer };

/** Yields the entries of an archive in order; stopping early stops the reading. */
export async function* readTar(source: Readable | Uint8Array): AsyncGenerator<PackedEntry> {
  const archive = extract();
  // A buffer must be wrapped: Readable.from iterates over a bare one byte by byte.
  const input = source instanceof Readable ? source : Readable.from([source]);
  input.on('error', (error) => archive.destroy(error));
  input.pipe(archive as unknown as NodeJS.WritableStream);
  try {
    for await (const entry of archive) {
      yield { ...entry.header, path: entry.header.name, data: await collect(entry) };
    }
  } finally {
    input.destroy();
  }
}
