import { MAX_LOGGED, plainJson } from '../core/plain-text.ts';
import type { Logger } from './logger.ts';

/** As createLogger, without a library: for the process that has more rights than others and is to stay small. */
export function createLineLogger(write: (line: string) => void, fields: object = {}): Logger {
  const say =
    (level: string) =>
    (more: object, msg: string): void => {
      const { err, ...rest } = { ...fields, ...more } as { err?: unknown };
      const error = err instanceof Error ? { err: err.message.slice(0, MAX_LOGGED) } : {};
      write(`${plainJson(JSON.stringify({ level, time: new Date().toISOString(), ...rest, ...error, msg }))}\n`);
    };
  return {
    debug: () => {},
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    child: (more) => createLineLogger(write, { ...fields, ...more }),
  };
}
