import type { Clock } from '../runtime/clock.ts';

/** Tells the user what goes on, each line with the seconds since the start. */
export interface Progress {
  say(message: string): void;
  elapsedMs(): number;
}

/** @param write gets whole lines, with their newline */
export function createProgress(clock: Clock, write: (line: string) => void): Progress {
  const start = clock.monotonic();
  const elapsedMs = (): number => clock.monotonic() - start;
  return {
    elapsedMs,
    say: (message) => write(`[${(elapsedMs() / 1000).toFixed(1).padStart(6)}s] ${message}\n`),
  };
}
