import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ServeConsole } from './command.ts';

/** A client, and what the kubeconfig says besides. */
export interface Connected {
  client: KubeClient;
  /** The context's namespace; `default` where it names none. */
  namespace: string;
}

export interface ConnectOptions {
  path: string | undefined;
  context: string | undefined;
  /** Told of every write to the API server. */
  onWrite?: ((method: string, path: string, status: number) => void) | undefined;
}

/** What the command line needs of the process it runs in. */
export interface CliDeps {
  version: string;
  connect(options: ConnectOptions): Promise<Connected>;
  contexts(path: string | undefined): Promise<string[]>;
  clock: Clock;
  randomBytes(count: number): Uint8Array;
  /** Aborts on Ctrl-C. */
  signal: AbortSignal;
  out(text: string): void;
  outRaw(data: Uint8Array): Promise<void>;
  error(text: string): void;
  /** Runs the lab of the source tree with these arguments, on our own terminal. @returns its exit code */
  runLab(args: readonly string[]): Promise<number>;
  writeFile(path: string, data: Uint8Array): Promise<void>;
  serveConsole: ServeConsole;
}

/** Exit codes are part of the interface. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
