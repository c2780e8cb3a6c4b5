const UNITS: [string, number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

/** `5d`, `3h`, `12m`, `7s`: the largest unit, as kubectl shows ages. */
export function duration(ms: number): string {
  const [unit, size] = UNITS.find(([, one]) => ms >= one * (one === 1_000 ? 1 : 2)) ?? ['s', 1_000];
  return `${Math.max(0, Math.floor(ms / size))}${unit}`;
}

/** The age of a time with `before` in front; empty when there is no time. @param time RFC 3339 */
export function ageText(now: number, time: string | null | undefined, before = ''): string {
  const at = time === null || time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(at) ? '' : `${before}${duration(now - at)}`;
}

/** `1 pod`, `2 pods`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The first few, and how many more there are. */
export function listed(names: readonly string[], most = 10): string {
  const more = names.length - most;
  return more > 0 ? `${names.slice(0, most).join(', ')} and ${more} more` : names.join(', ');
}
