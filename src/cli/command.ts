import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../runtime/clock.ts';
import type { FlagName, FlagValues } from './flags.ts';

export type OutputForm = 'text' | 'wide' | 'json' | 'yaml' | 'name';

/** What can stand for a positional argument, for completion. */
export type Completed = 'peers' | 'namespaces' | 'pods' | readonly string[];

export interface Argument {
  name: string;
  optional?: boolean;
  completes?: Completed;
}

/** What the console is given by its command. */
export interface ConsoleRequest {
  client: KubeClient;
  namespace: string;
  version: string;
  clock: Clock;
  randomBytes(count: number): Uint8Array;
  /** 0 for any that is free. */
  port: number;
  signal: AbortSignal;
}

/** Starts the console; gives its address, and when it has ended. */
export type ServeConsole = (request: ConsoleRequest) => Promise<{ url: string; ended: Promise<void> }>;

/** What a command works with; it neither reads the environment nor prints by itself. */
export interface CommandContext {
  client: KubeClient;
  clock: Clock;
  /** Version of this program. */
  version: string;
  randomBytes(count: number): Uint8Array;
  args: string[];
  flags: FlagValues;
  /** -n, or the namespace of the context. */
  namespace: string;
  form: OutputForm;
  /** Same as `form === 'json'`. */
  json: boolean;
  /** Aborts on Ctrl-C. */
  signal: AbortSignal;
  /** A line (or more) of the result, on standard output. */
  out(text: string): void;
  /** Bytes of the result as they are. */
  outRaw(data: Uint8Array): Promise<void>;
  /** What is not the result, on standard error. */
  note(text: string): void;
  writeFile(path: string, data: Uint8Array): Promise<void>;
  serveConsole: ServeConsole;
}

export interface Command {
  name: string;
  args: Argument[];
  flags: FlagName[];
  summary: string;
  /** Whole command lines, without the program's name. */
  examples: string[];
  /** @returns the exit code; nothing means 0 */
  run(context: CommandContext): Promise<number | undefined>;
}

/** The command line is wrong; exit code 2. */
export class UsageError extends Error {}
