import { parseDuration } from '../../core/duration.ts';
import { rebalance } from '../../ops/rebalance.ts';
import { describeRebalanceStep } from '../../ops/step-texts.ts';
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
  return reportSteps(context, steps, (step) => describeRebalanceStep(step, dryRun));
}
