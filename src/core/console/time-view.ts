import type { Moment, MomentKind } from '../history/moment.ts';
import type { KubeObject } from '../kube-objects.ts';

/** A line of the page about time. */
export interface TimeEntry {
  /** RFC 3339. */
  at: string;
  kind: MomentKind | 'event';
  /** How it is to be taken. */
  tone: 'good' | 'bad' | 'plain';
  /** One sentence, without a full stop. */
  text: string;
  peer?: string;
  pod?: { namespace: string; name: string };
  count?: number;
}

export interface TimeView {
  /** The newest first. */
  entries: TimeEntry[];
  /** Whether the agent's own memory could be read; else only Events are there, which end after an hour. */
  remembered: boolean;
}

export const MAX_ENTRIES = 400;

/** What happened, from what the agent remembers and from its Events on pods. */
export function timeView(moments: readonly Moment[] | undefined, events: readonly KubeObject[]): TimeView {
  const entries = [...(moments ?? []).map(entryOfMoment), ...events.map(entryOfEvent)];
  return {
    entries: entries.sort((a, b) => b.at.localeCompare(a.at)).slice(0, MAX_ENTRIES),
    remembered: moments !== undefined,
  };
}

const TONES: Record<MomentKind, TimeEntry['tone']> = {
  joined: 'good',
  lost: 'bad',
  back: 'good',
  left: 'plain',
  path: 'plain',
  failover: 'plain',
  moved: 'plain',
  refused: 'bad',
  started: 'plain',
};

function entryOfMoment(moment: Moment): TimeEntry {
  const { at, kind, peer, count } = moment;
  return {
    ...{ at, kind, tone: TONES[kind], text: textOf(moment) },
    ...(peer === undefined ? {} : { peer }),
    ...(count === undefined ? {} : { count }),
  };
}

function textOf({ kind, peer = 'a peer', namespace = '', workload = '', pods = 1, seconds, text }: Moment): string {
  const what = `${namespace}/${workload.replace(/^[^/]*\//, '')}`;
  const because = text === undefined || text === '' ? '' : `: ${text}`;
  const those = pods === 1 ? '1 pod' : `${pods} pods`;
  switch (kind) {
    case 'joined':
      return `${peer} joined`;
    case 'lost':
      return `${peer} is out of contact${because}`;
    case 'back':
      return `${peer} is back${seconds === undefined ? '' : `, after ${secondsText(seconds)}`}`;
    case 'left':
      return `${peer} is no member any more`;
    case 'path':
      return `The way to ${peer} changed${because}`;
    case 'failover':
      return seconds === undefined
        ? `${those} of ${what} on ${peer} were given up${because}`
        : `${those} of ${what} on ${peer} replaced, Ready ${secondsText(seconds)} after contact was lost`;
    case 'moved':
      return `${those} of ${what} moved away from ${peer}`;
    case 'refused':
      return `${peer} refused a pod of ${what}${because}`;
    case 'started':
      return `The agent of this member started${because}`;
  }
}

/** `8.4 s`, `3 min`. */
function secondsText(seconds: number): string {
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

function entryOfEvent(event: KubeObject): TimeEntry {
  const { type, reason, message, count, lastTimestamp, involvedObject } = event as {
    type?: string;
    reason?: string;
    message?: string;
    count?: number;
    lastTimestamp?: string | null;
    involvedObject?: { kind?: string; namespace?: string; name?: string };
  };
  const { kind, namespace = '', name = '' } = involvedObject ?? {};
  return {
    at: lastTimestamp ?? event.metadata.creationTimestamp ?? '',
    kind: 'event',
    tone: type === 'Warning' ? 'bad' : 'plain',
    text: `${namespace}/${name} ${reason ?? ''}: ${message ?? ''}`,
    ...(kind === 'Pod' ? { pod: { namespace, name } } : {}),
    ...(count === undefined || count === 1 ? {} : { count }),
  };
}
