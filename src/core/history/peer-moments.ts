import type { PeerObject } from '../membership/peer-object.ts';
import type { Moment } from './moment.ts';

/** What a change of a Peer object means. @param now milliseconds since 1970 */
export function momentsOfPeer(before: PeerObject | undefined, after: PeerObject | undefined, now: number): Moment[] {
  const at = new Date(now).toISOString();
  const peer = (after ?? before)?.metadata.name ?? '';
  if (before === undefined) return [{ at, kind: 'joined', peer }];
  if (after === undefined) return [{ at, kind: 'left', peer }];
  return [...contactMoments(before, after, { at, peer, now }), ...wayMoments(before, after, { at, peer })];
}

function contactMoments(
  before: PeerObject,
  after: PeerObject,
  { at, peer, now }: { at: string; peer: string; now: number },
): Moment[] {
  const [was, is] = [before.status?.state, after.status?.state];
  if (is === 'Unreachable' && was !== 'Unreachable' && was !== undefined) {
    const text = after.status?.conditions?.find(({ type }) => type === 'Connected')?.message;
    return [{ at, kind: 'lost', peer, ...(text === undefined ? {} : { text }) }];
  }
  if (is !== 'Connected' || was !== 'Unreachable') return [];
  const away = now - Date.parse(before.status?.lastSeen ?? '');
  return [
    { at, kind: 'back', peer, ...(Number.isFinite(away) ? { seconds: Math.max(0, Math.round(away / 1000)) } : {}) },
  ];
}

/** Another way of the connection, or of packets between pods. */
function wayMoments(before: PeerObject, after: PeerObject, { at, peer }: { at: string; peer: string }): Moment[] {
  if (after.status?.state !== 'Connected' || before.status?.state !== 'Connected') return [];
  const paths = [before, after].map(({ status }) => status?.network?.path ?? undefined);
  const vias = [before, after].map(({ status }) => status?.via ?? undefined);
  const [pathBefore, path] = paths;
  const [viaBefore, via] = vias;
  return [
    ...(pathBefore !== undefined && path !== undefined && path !== pathBefore
      ? [{ at, kind: 'path', peer, text: `packets travel by ${path}, before by ${pathBefore}` } as const]
      : []),
    ...(via === viaBefore
      ? []
      : [{ at, kind: 'path', peer, text: via === undefined ? 'direct again' : `through ${via}` } as const]),
  ];
}
