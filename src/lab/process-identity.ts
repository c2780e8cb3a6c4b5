import { readFileSync } from 'node:fs';

/** A process, told from a later one with the same ID by when it started (clock ticks since boot). */
export interface ProcessIdentity {
  pid: number;
  startTime: string;
}

/** Parses `PID STARTTIME`, as the launchers write it. */
export function parseProcessIdentity(text: string): ProcessIdentity | undefined {
  const match = /^(\d+) (\d+)\s*$/.exec(text);
  return match === null ? undefined : { pid: Number(match[1]), startTime: match[2] ?? '' };
}

/** State and start time from /proc/PID/stat; the command name in it may hold spaces and parentheses. */
export function parseProcessStat(stat: string): { state: string; startTime: string } | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  return state === undefined || startTime === undefined ? undefined : { state, startTime };
}

/** The process in `pidFile`, if it still runs. */
export function readLiveProcess(pidFile: string): ProcessIdentity | undefined {
  const identity = parseProcessIdentity(readOrEmpty(pidFile));
  return identity !== undefined && isAlive(identity) ? identity : undefined;
}

export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  const stat = parseProcessStat(readOrEmpty(`/proc/${pid}/stat`));
  return stat !== undefined && stat.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/** Identity of a running process. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const stat = parseProcessStat(readOrEmpty(`/proc/${pid}/stat`));
  return stat === undefined ? undefined : { pid, startTime: stat.startTime };
}

/** Resident memory in bytes. */
export function residentBytesOf(pid: number): number | undefined {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readOrEmpty(`/proc/${pid}/status`));
  return match === null ? undefined : Number(match[1]) * 1024;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
