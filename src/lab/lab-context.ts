import type { Clock } from '../runtime/clock.ts';
import type { Progress } from './progress.ts';
import type { ClusterProvider } from './provider.ts';
import type { LabTopology } from './topology.ts';

/** What every command and step of the lab works with. */
export interface LabContext {
  topology: LabTopology;
  provider: ClusterProvider;
  progress: Progress;
  clock: Clock;
  /** The checkout. */
  root: string;
  /** The machine's compiled tools: kubectl, ctr, … */
  toolsFolder: string;
  signal: AbortSignal;
}

/** One step of `up`; idempotent, so that `up` can always be repeated. */
export interface LabStep {
  /** Said while it runs. */
  title: string;
  run(context: LabContext): Promise<void>;
}
