import { parseDuration } from '../../core/duration.ts';
import { counted } from '../../core/explain/age.ts';
import { type RebalanceProgress, rebalance } from '../../ops/rebalance.ts';
import type { Command, CommandContext } from '../command.ts';
import { reportSteps } from '../steps.ts';

/** Evictions wait for each other and for budgets. */
const DEFAULT_TIMEOUT_MS = 300_000;

export const REBALANCE_COMMAND: Command = {
  name: 'rebalance',
  args: [{ name: 'NAMESPACE', completes: 'namespaces' }],
  flags: ['timeout', 'dry-run', 'output'],
  summary: 'spread the replicas of a namespace evenly again, one at a time',
  examples: ['rebalance demo', 'rebalance demo --dry-run'],
  run: runRebalance,
};

function runRebalance(context: CommandContext): Promise<undefined> {
  const { flags, clock, signal } = context;
  const dryRun = flags['dry-run'] === true;
  const timeoutMs = flags.timeout === undefined ? DEFAULT_TIMEOUT_MS : parseDuration(flags.timeout);
  const steps = rebalance(context.client, context.args[0] ?? '', { timeoutMs, dryRun, clock, signal });
  return reportSteps(context, steps, (step) => describe(step, dryRun));
}

function describe(step: RebalanceProgress, dryRun: boolean): string {
  switch (step.type) {
    case 'moving':
      return `moving ${step.pod} from ${step.from}; ${step.to} has the fewest`;
    case 'held-back':
      return `waiting with ${step.pod}: ${step.message}`;
    case 'kept':
      return `${step.pod} stays: its replicas are no more even after a move; affinity or spread constraints of its own may decide`;
    case 'even':
      if (dryRun)
        return step.moved === 0 ? 'the replicas are even' : `${counted(step.moved, 'replica')} would be moved first`;
      return step.moved === 0
        ? 'the replicas were even already'
        : `the replicas are even, ${counted(step.moved, 'move')} made`;
  }
}
