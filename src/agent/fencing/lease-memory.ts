import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** When each consumer last let us go on, for an agent that starts again; ms of uptime by cluster ID. */
export interface LeaseMemory {
  load(): Promise<ReadonlyMap<string, number>>;
  save(askedAt: ReadonlyMap<string, number>): Promise<void>;
}

const FILE = 'leases.json';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/**
 * In a file that outlives the process and not the machine's uptime: a write every few seconds is nothing for it and too much for
 * the API server.
 */
export function createLeaseMemory(folder: string): LeaseMemory {
  const path = join(folder, FILE);
  const bootId = async (): Promise<string> => (await readFile(BOOT_ID, 'utf8')).trim();
  return {
    async load() {
      try {
        const kept = JSON.parse(await readFile(path, 'utf8')) as { boot: string; askedAt: Record<string, number> };
        // Another boot: its uptime is no time of this one.
        if (kept.boot !== (await bootId())) return new Map();
        return new Map(Object.entries(kept.askedAt).filter(([, at]) => Number.isFinite(at)));
      } catch {
        return new Map();
      }
    },
    async save(askedAt) {
      const temporary = `${path}.next`;
      await writeFile(temporary, JSON.stringify({ boot: await bootId(), askedAt: Object.fromEntries(askedAt) }));
      await rename(temporary, path);
    },
  };
}
