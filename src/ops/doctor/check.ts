import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import type { World } from '../../core/explain/world.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../runtime/clock.ts';

export type Verdict = 'ok' | 'warning' | 'failed' | 'skipped';

/** What one check found. */
export interface Finding {
  verdict: Verdict;
  /** What was looked at, and what was seen; one sentence without a full stop. */
  message: string;
  /** What to do about it; only where something is wrong. */
  fix?: string;
}

export interface CheckContext {
  client: KubeClient;
  world: World;
  clock: Clock;
  signal: AbortSignal;
  /** Version of the program that asks. */
  version: string;
  /** Only this peer; all when undefined. */
  peer: string | undefined;
  /** What the agent finds; asked once for all checks. A finding where it does not say. */
  diagnosis(): Promise<Diagnosis | Finding>;
}

/** One numbered check of `headcut doctor`. IDs are stable: programs may look for them. */
export interface Check {
  id: string;
  title: string;
  /** True when it says something about a single peer, and so is part of `--peer`. */
  aboutPeers: boolean;
  run(context: CheckContext): Promise<Finding[]>;
}

export const ok = (message: string): Finding => ({ verdict: 'ok', message });
export const warning = (message: string, fix: string): Finding => ({ verdict: 'warning', message, fix });
export const failed = (message: string, fix: string): Finding => ({ verdict: 'failed', message, fix });
export const skipped = (message: string): Finding => ({ verdict: 'skipped', message });
