import { CodedError } from './coded-error.ts';

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Annotations have any length; what is meant has this at most. */
const MAX_LENGTH = 64;
/** Ten years: what is meant to be longer is meant to be never. */
export const MAX_DURATION_MS = 10 * 365 * 24 * 3_600_000;

/** Whether `parseDuration` can read it. */
export function isDuration(text: string): boolean {
  return text.length <= MAX_LENGTH && /^(\d+(ms|s|m|h))+$/.test(text);
}

/** Milliseconds of a duration such as `90s`, `15m`, `1h30m`, at most MAX_DURATION_MS; throws InvalidArgument. */
export function parseDuration(text: string): number {
  if (!isDuration(text)) {
    throw new CodedError(
      'InvalidArgument',
      `"${text.slice(0, MAX_LENGTH)}" is no duration; write it like 90s, 15m or 1h30m`,
    );
  }
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h)/g)) total += Number(count) * (UNITS[unit ?? ''] ?? 0);
  return Math.min(total, MAX_DURATION_MS);
}
