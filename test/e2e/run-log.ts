import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export const RUN_LOG_VOLUME = { name: 'data', emptyDir: {} };

/**
 * What makes of a container of the demo's image one that writes the machine's uptime (s) into its log twenty times a second; all
 * clusters of the lab share that clock.
 */
export function loggingContainer(mark: string): object {
  const script = 'while true; do read now rest < /proc/uptime; echo $now >> /data/log; sleep 0.05; done';
  return { command: ['sh', '-c', script, mark], volumeMounts: [{ name: RUN_LOG_VOLUME.name, mountPath: '/data' }] };
}

export interface RunLog extends AsyncDisposable {
  /** When which container ran: seconds of uptime, in order of their beginnings. */
  intervals(): Promise<Interval[]>;
}

export interface Interval {
  /** The cluster that it ran on, and the inode of its log. */
  container: string;
  from: number;
  to: number;
}

const LOOK_EVERY_MS = 200;
/** A longer silence is a stop: of a container that is frozen, or starts again. */
const GAP_SECONDS = 1;

/**
 * Holds on to the log of every container with this mark on this machine, whatever cluster it runs in; a log that is open can be
 * read also when the pod and its volume are gone.
 */
export function followRunLogs(mark: string): RunLog {
  /** By inode: several processes of a container have the same log. */
  const logs = new Map<string, { file: FileHandle; container: string }>();
  const seen = new Set<string>();
  const stop = new AbortController();
  const look = async (): Promise<void> => {
    for (const pid of await readdir('/proc')) {
      if (!/^\d+$/.test(pid) || seen.has(pid)) continue;
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (!command.includes('/data/log') || !command.includes(`\0${mark}\0`)) continue;
      const file = await open(`/proc/${pid}/root/data/log`).catch(() => undefined);
      if (file === undefined) continue;
      seen.add(pid);
      const { dev, ino } = await file.stat();
      const inode = `${dev}:${ino}`;
      if (logs.has(inode)) {
        await file.close();
        continue;
      }
      // Nothing of a process that has ended meanwhile.
      const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
      const cluster = /headcut-[^/]+\/([a-z]+)\//.exec(groups)?.[1] ?? 'some cluster';
      logs.set(inode, { file, container: `${cluster} (${inode})` });
    }
  };
  const following = (async () => {
    while (!stop.signal.aborted) {
      await look();
      await sleep(LOOK_EVERY_MS);
    }
  })();
  return {
    async intervals() {
      const all = await Promise.all(
        [...logs.values()].map(async ({ container, file }) => toIntervals(container, await textOf(file))),
      );
      return all.flat().sort((a, b) => a.from - b.from);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await following;
      for (const { file } of logs.values()) await file.close();
    },
  };
}

/** The longest time for which two containers ran at once, s, and which they were; 0 when there never were two. */
export function longestOverlap(intervals: readonly Interval[]): { seconds: number; between: Interval[] } {
  let longest: { seconds: number; between: Interval[] } = { seconds: 0, between: [] };
  for (const [index, one] of intervals.entries())
    for (const other of intervals.slice(index + 1)) {
      const seconds = Math.min(one.to, other.to) - other.from;
      if (one.container !== other.container && seconds > longest.seconds) longest = { seconds, between: [one, other] };
    }
  return longest;
}

async function textOf(file: FileHandle): Promise<string> {
  const { size } = await file.stat();
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
  return buffer.toString('utf8', 0, bytesRead);
}

function toIntervals(container: string, text: string): Interval[] {
  const intervals: Interval[] = [];
  for (const at of text.split('\n').map(Number)) {
    if (!(at > 0)) continue;
    const last = intervals.at(-1);
    if (last !== undefined && at - last.to <= GAP_SECONDS) last.to = at;
    else intervals.push({ container, from: at, to: at });
  }
  return intervals;
}
