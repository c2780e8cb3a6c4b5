import { parseDuration } from '../../core/duration.ts';
import { type KeyOutlook, keyOutlook, type RotateKeyProgress, rotateKey } from '../../ops/rotate-key.ts';
import type { Command, CommandContext } from '../command.ts';
import { emit } from '../output.ts';
import { reportSteps } from '../steps.ts';

const DEFAULT_TIMEOUT_MS = 60_000;

export const ROTATE_KEY_COMMAND: Command = {
  name: 'rotate-key',
  args: [],
  flags: ['wait', 'timeout', 'force', 'dry-run', 'output'],
  summary: "replace this cluster's key by a new one, which the old one signs; its ID and all that runs stay",
  examples: ['rotate-key --wait', 'rotate-key --dry-run', 'rotate-key --context b'],
  run: runRotateKey,
};

async function runRotateKey(context: CommandContext): Promise<undefined> {
  const { client, clock, flags, signal } = context;
  if (flags['dry-run'] === true) {
    const outlook = await keyOutlook(client);
    return void (await emit(context, { data: outlook, text: () => describeOutlook(outlook) }));
  }
  const timeoutMs = flags.timeout === undefined ? DEFAULT_TIMEOUT_MS : parseDuration(flags.timeout);
  const wait = flags.wait === true;
  await reportSteps(
    context,
    rotateKey(client, { force: flags.force === true, wait, timeoutMs, clock, signal }),
    describe,
  );
  if (!wait && context.form === 'text')
    context.note(
      'Members that are connected accept it within seconds, others when they are back; what the old key opened ends after 30s.',
    );
}

function describe(step: RotateKeyProgress): string {
  switch (step.type) {
    case 'asked':
      return step.again ? 'the agent was asked for the next key before' : 'asked the agent for the next key';
    case 'replaced':
      return `${step.id.slice(0, 12)} has a new key, which comes after ${countKeys(step.replaced)}`;
    case 'accepted':
      return `${step.peer} accepts it`;
    case 'away':
      return `${step.peer} is away, and accepts it when it is back`;
    case 'lost':
      return `${step.peer} is too old for it, and lost this member until headcut is updated there`;
  }
}

function describeOutlook({ id, replaced, connected, away, lost }: KeyOutlook): string {
  const list = (names: string[]): string => (names.length === 0 ? 'none' : names.join(', '));
  return [
    `Would replace the key of ${id.slice(0, 12)}, the new one coming after ${countKeys(replaced + 1)}.`,
    `Members that accept it at once: ${list(connected)}`,
    `Members that accept it when they are back: ${list(away)}`,
    `Members too old to know this one by another key: ${list(lost)}`,
  ].join('\n');
}

const countKeys = (count: number): string => (count === 1 ? 'one other' : `${count} others`);
