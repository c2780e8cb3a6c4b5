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

/** One line. */
export function formatLeases({ askedAt, pods }: KeptLeases): string {
  return JSON.stringify({ askedAt: Object.fromEntries(askedAt), pods });
}

/** What a guard answers to who tells it leases as such a line, as agents of 0.1.0 do, when it has taken them. */
export const LINE_TAKEN = 'taken';

/** What formatLeases made. Throws where the text is something else. */
export function parseLeases(text: string): KeptLeases {
  const { askedAt, pods } = JSON.parse(text) as { askedAt: Record<string, number>; pods: FencedPod[] };
  const times = Object.entries(askedAt).filter(([, at]) => Number.isFinite(at));
  // No pod with half of what it takes to find it, or to know when its time is over.
  const whole = pods.filter(
    ({ namespace, name, uid, consumer, afterMs }) =>
      [namespace, name, uid, consumer].every((one) => typeof one === 'string' && one !== '') &&
      Number.isFinite(afterMs),
  );
  return { askedAt: new Map(times), pods: whole };
}

/** For an agent, and a guard, that starts again. */
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
        const [boot = '', text = ''] = (await readFile(path, 'utf8')).split('\n');
        // Another boot: its uptime is no time of this one.
        return boot === (await bootId()) ? parseLeases(text) : { askedAt: new Map(), pods: [] };
      } catch {
        return { askedAt: new Map(), pods: [] };
      }
    },
    save: (leases) =>
      oneByOne(async () => {
        const temporary = `${path}.next`;
        await writeFile(temporary, `${await bootId()}\n${formatLeases(leases)}\n`);
        await rename(temporary, path);
      }),
  };
}
