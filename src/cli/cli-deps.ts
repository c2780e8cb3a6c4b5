import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../runtime/clock.ts';

/** What the command line needs of the process it runs in. */
export interface CliDeps {
  version: string;
  connect(options: { path: string | undefined; context: string | undefined }): Promise<KubeClient>;
  clock: Clock;
  randomBytes(count: number): Uint8Array;
  out(text: string): void;
  error(text: string): void;
}

/** Exit codes are part of the interface. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
