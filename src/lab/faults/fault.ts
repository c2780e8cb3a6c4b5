import { CodedError } from '../../core/coded-error.ts';
import { isDuration, parseDuration } from '../../core/duration.ts';

/**
 * What can go wrong in a lab, as data. Each fault is started and ended by its own value (run-fault.ts), whoever asks: the lab
 * command, a test or a soak run.
 */
export type Fault =
  | PacketFault
  /** All that comes to a cluster comes this much later, and, with `jitterMs`, more or less so: packets overtake each other. */
  | { kind: 'delay'; cluster: string; delayMs: number; jitterMs: number }
  /** Ends processes at once (kill −9). What a supervisor of the cluster restarts, comes back by itself. */
  | { kind: 'kill'; cluster: string; target: string }
  /** Stands still, but is there: SIGSTOP for one component, the freezer for a whole cluster (`target` undefined). */
  | { kind: 'freeze'; cluster: string; target: string | undefined }
  /** All processes of a cluster end at once, its containers' too; the end of the fault starts it again with its data. */
  | { kind: 'power'; cluster: string }
  /** Nothing more can be stored by a cluster's API server; what is there can be read. */
  | { kind: 'fill-disk'; cluster: string }
  /** The wall clock of a cluster's agent jumps, forwards or, below zero, backwards. */
  | { kind: 'clock'; cluster: string; shiftMs: number };

/** What happens to packets between two clusters; or, without `other`, between one and all others. The machine reaches both as before. */
export type PacketFault =
  | { kind: 'cut'; cluster: string; other: string | undefined; oneWay: boolean }
  | { kind: 'lose'; cluster: string; other: string | undefined; oneWay: boolean; percent: number }
  | { kind: 'block-udp'; cluster: string; other: string | undefined; oneWay: boolean };

export type FaultKind = Fault['kind'];

/** A process of a cluster that a fault can hit beside the components of its provider. */
export const AGENT = 'agent';

export const FAULT_USAGE = `  fault cut A [B]              nothing passes between A and B (without B: between A and all others)
  fault lose PERCENT A [B]     that share of packets is lost
  fault block-udp A [B]        UDP does not pass
      --one-way                of these three: only what A sends is hit
  fault delay MS[~JITTER] A    what comes to A comes later; with jitter packets overtake each other
  fault kill A WHAT            kill −9 of agent, kube-apiserver, kine, kubelet, …
  fault freeze A [WHAT]        stands still but is there; without WHAT the whole cluster
  fault power A                power loss: kill −9 of everything; its end starts the cluster again
  fault fill-disk A            the disk of A's API server is full: it can be read, but not written
  fault clock ahead|behind 1h A  the wall clock of A's agent jumps
  fault end [FAULT…]           undo that fault (same words), or all faults
`;

/** Parses the words of a fault as the user gives them. */
export function parseFault(words: readonly string[], oneWay: boolean): Fault {
  const [kind, ...rest] = words;
  switch (kind) {
    case 'cut':
    case 'block-udp':
      return { kind, ...pairFrom(kind, rest), oneWay };
    case 'lose':
      return { kind, percent: parsePercent(rest[0]), ...pairFrom(kind, rest.slice(1)), oneWay };
    case 'delay':
      return { kind, ...parseDelay(rest[0]), cluster: only(kind, rest.slice(1)) };
    case 'kill': {
      const [cluster, target, ...more] = rest;
      if (cluster === undefined || target === undefined || more.length > 0)
        throw wrong('"kill" takes a cluster and what to kill there');
      return { kind, cluster, target };
    }
    case 'freeze': {
      const [cluster, target, ...more] = rest;
      if (cluster === undefined || more.length > 0) throw wrong('"freeze" takes a cluster and, at most, a part of it');
      return { kind, cluster, target };
    }
    case 'power':
    case 'fill-disk':
      return { kind, cluster: only(kind, rest) };
    case 'clock':
      return { kind, shiftMs: parseShift(rest[0], rest[1]), cluster: only(kind, rest.slice(2)) };
    default:
      throw wrong(kind === undefined ? 'which fault?' : `there is no fault "${kind}"`);
  }
}

function pairFrom(kind: string, words: readonly string[]): { cluster: string; other: string | undefined } {
  const [cluster, other, ...more] = words;
  if (cluster === undefined || more.length > 0) throw wrong(`"${kind}" takes one or two clusters`);
  if (cluster === other) throw wrong(`"${kind}" takes two different clusters`);
  return { cluster, other };
}

function only(kind: string, words: readonly string[]): string {
  const [cluster, ...more] = words;
  if (cluster === undefined || more.length > 0) throw wrong(`"${kind}" takes one cluster`);
  return cluster;
}

function parsePercent(text = ''): number {
  const percent = Number(text);
  if (/^\d{1,3}$/.test(text) && percent >= 1 && percent <= 100) return percent;
  throw wrong(`"lose" takes a percentage from 1 to 100, not "${text}"`);
}

function parseDelay(text = ''): { delayMs: number; jitterMs: number } {
  const match = /^(\d{1,5})(?:~(\d{1,5}))?$/.exec(text);
  if (match === null) throw wrong(`"delay" takes milliseconds, such as 100 or 100~20, not "${text}"`);
  return { delayMs: Number(match[1]), jitterMs: Number(match[2] ?? 0) };
}

function parseShift(direction: string | undefined, duration = ''): number {
  if ((direction !== 'ahead' && direction !== 'behind') || !isDuration(duration))
    throw wrong('"clock" takes "ahead" or "behind", and a duration such as 1h or 90s');
  return parseDuration(duration) * (direction === 'ahead' ? 1 : -1);
}

function wrong(problem: string): CodedError {
  return new CodedError('InvalidArgument', `${problem}\n${FAULT_USAGE}`);
}
