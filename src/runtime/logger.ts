import { pino } from 'pino';
import { MAX_LOGGED, plainJson } from '../core/plain-text.ts';

/** Structured logging: a constant message and fields. Inject one per component with `child`. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

/**
 * JSON lines on standard output; `level` is one of debug, info, warn, error, silent. What others wrote is data in them: a terminal
 * that shows them has nothing to act on, and no text is longer than MAX_LOGGED.
 * @param destination where the lines go instead
 */
export function createLogger(level: string, destination?: { write(line: string): void }): Logger {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: bounded },
    serializers: { err: (error: unknown) => bounded(pino.stdSerializers.err(error as Error)) },
    hooks: { streamWrite: plainJson },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** Fields with texts of others, and the messages and causes of errors. */
export function bounded<T extends object>(fields: T): T {
  const long = Object.entries(fields).filter(([, value]) => typeof value === 'string' && value.length > MAX_LOGGED);
  if (long.length === 0) return fields;
  const cut = long.map(([name, value]) => [name, `${String(value).slice(0, MAX_LOGGED)}…`]);
  // Of errors pino keeps the raw one in the prototype.
  return Object.assign(Object.create(Object.getPrototypeOf(fields)), fields, Object.fromEntries(cut));
}

/** Says nothing; for tests. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
