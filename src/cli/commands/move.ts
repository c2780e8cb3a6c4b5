import { parseDuration } from '../../core/duration.ts';
import { policiesText } from '../../core/explain/explain-namespace.ts';
import { type DrainProgress, drainPeer, drainSelf, undrainPeer, undrainSelf } from '../../ops/drain.ts';
import { offload, type UnoffloadProgress, unoffload } from '../../ops/offload.ts';
import { describeMoveStep, offloadedText, podsBeforeText } from '../../ops/step-texts.ts';
import type { Command, CommandContext } from '../command.ts';
import { emit } from '../output.ts';
import { reportSteps } from '../steps.ts';

const DEFAULT_TIMEOUT_MS = 120_000;

/** What moves pods. */
export const MOVE_COMMANDS: Command[] = [
  {
    name: 'offload',
    args: [{ name: 'NAMESPACE', completes: 'namespaces' }],
    flags: ['dry-run', 'output'],
    summary: 'let new pods of a namespace run on other members',
    examples: ['offload demo'],
    run: runOffload,
  },
  {
    name: 'unoffload',
    args: [{ name: 'NAMESPACE', completes: 'namespaces' }],
    flags: ['keep-pods', 'force', 'timeout', 'dry-run', 'output'],
    summary: 'keep new pods of a namespace at home, and bring home those that are elsewhere',
    examples: ['unoffload demo', 'unoffload demo --keep-pods'],
    run: (context) => {
      const options = { ...evictOptions(context), keepPods: context.flags['keep-pods'] === true };
      return report(context, unoffload(context.client, context.args[0] ?? '', options));
    },
  },
  {
    name: 'drain',
    args: [{ name: 'PEER', optional: true, completes: 'peers' }],
    flags: ['undo', 'force', 'timeout', 'dry-run', 'output'],
    summary: 'move our pods away from a peer; without one: have all peers move theirs away from here',
    examples: ['drain b', 'drain b --undo', 'drain --timeout 5m', 'drain --undo'],
    run: runDrain,
  },
];

async function runOffload(context: CommandContext): Promise<undefined> {
  const dryRun = context.flags['dry-run'] === true;
  const done = await offload(context.client, context.args[0] ?? '', { dryRun });
  const { namespace, podsBefore, networkPolicies } = done;
  const text = offloadedText(done, dryRun);
  await emit(context, { data: done, text: () => text, names: () => [`namespace/${namespace}`] });
  const policies = policiesText(networkPolicies);
  if (policies !== undefined && context.form === 'text') context.note(policies);
  if (podsBefore > 0 && context.form === 'text') context.note(podsBeforeText(done));
}

async function runDrain(context: CommandContext): Promise<number | undefined> {
  const [peer] = context.args;
  if (peer === undefined) return runDrainSelf(context);
  if (context.flags.undo !== true) return report(context, drainPeer(context.client, peer, evictOptions(context)));
  const done = await undrainPeer(context.client, peer, { dryRun: context.flags['dry-run'] === true });
  const text = done.changed ? `Pods go to ${peer} again (${done.node}).` : `Pods go to ${peer} already (${done.node}).`;
  await emit(context, { data: done, text: () => text, names: () => [`node/${done.node}`] });
  return undefined;
}

async function runDrainSelf(context: CommandContext): Promise<number | undefined> {
  if (context.flags.undo !== true) return report(context, drainSelf(context.client, evictOptions(context)));
  const changed = await undrainSelf(context.client, { dryRun: context.flags['dry-run'] === true });
  const text = `This cluster takes pods of its peers ${changed ? 'again' : 'already'}.`;
  await emit(context, { data: { changed }, text: () => text, names: () => ['federation/headcut'] });
  return undefined;
}

function evictOptions({ flags, clock, signal }: CommandContext) {
  return {
    timeoutMs: flags.timeout === undefined ? DEFAULT_TIMEOUT_MS : parseDuration(flags.timeout),
    force: flags.force === true,
    dryRun: flags['dry-run'] === true,
    clock,
    signal,
  };
}

function report(context: CommandContext, steps: AsyncIterable<UnoffloadProgress | DrainProgress>): Promise<undefined> {
  return reportSteps(context, steps, (step) => describeMoveStep(step, context.flags['dry-run'] === true));
}
