import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { oneAtATime } from '../../runtime/one-at-a-time.ts';

/** A fenced pod that runs here, for who stops it when the agent cannot. */
export interface FencedPod {
  namespace: string;
  name: string;
  /** Of the pod here. */
  uid: string;
  /** Cluster ID of its home. */
  consumer: string;
  afterMs: number;
}

/** What is remembered about leases; times are ms of uptime. */
export interface KeptLeases {
  /** When each consumer last let us go on, by cluster ID. */
  askedAt: ReadonlyMap<string, number>;
  pods: readonly FencedPod[];
}

/** For an agent that starts again, and for the guard beside it. */
export interface LeaseMemory {
  /** Nothing where nothing was kept since the machine started. */
  load(): Promise<KeptLeases>;
  save(leases: KeptLeases): Promise<void>;
}

const FILE = 'leases.json';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/**
 * In a file that outlives the process and not the machine's uptime: a write every few seconds is nothing for it and too much for
 * the API server.
 */
export function createLeaseMemory(folder: string): LeaseMemory {
  const path = join(folder, FILE);
  // Each consumer's answer is kept when it comes; two at once would share the temporary file.
  const oneByOne = oneAtATime();
  const bootId = async (): Promise<string> => (await readFile(BOOT_ID, 'utf8')).trim();
  return {
    async load() {
      try {
        const kept = JSON.parse(await readFile(path, 'utf8')) as {
          boot: string;
          askedAt: Record<string, number>;
          pods?: FencedPod[];
        };
        // Another boot: its uptime is no time of this one.
        if (kept.boot !== (await bootId())) return { askedAt: new Map(), pods: [] };
        const askedAt = new Map(Object.entries(kept.askedAt).filter(([, at]) => Number.isFinite(at)));
        return { askedAt, pods: kept.pods ?? [] };
      } catch {
        return { askedAt: new Map(), pods: [] };
      }
    },
    save: ({ askedAt, pods }) =>
      oneByOne(async () => {
        const temporary = `${path}.next`;
        const kept = { boot: await bootId(), askedAt: Object.fromEntries(askedAt), pods };
        await writeFile(temporary, JSON.stringify(kept));
        await rename(temporary, path);
      }),
  };
}
