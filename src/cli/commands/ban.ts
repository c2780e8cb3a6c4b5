import { counted, listed } from '../../core/explain/age.ts';
import { type Banned, ban, unban } from '../../ops/ban.ts';
import type { Command, CommandContext } from '../command.ts';
import { emit } from '../output.ts';

/** Whom this cluster wants nothing to do with. */
export const BAN_COMMANDS: Command[] = [
  {
    name: 'ban',
    args: [{ name: 'PEER', completes: 'peers' }],
    flags: ['with-newcomers', 'dry-run', 'output'],
    summary: 'end the membership of a peer for this cluster alone and keep it out, whoever vouches for it',
    examples: ['ban c', 'ban c --with-newcomers --dry-run'],
    run: runBan,
  },
  {
    name: 'unban',
    args: [{ name: 'ID' }],
    flags: ['dry-run', 'output'],
    summary: 'let a banned cluster join again, by a new invitation',
    examples: ['unban cccccccccccc'],
    run: runUnban,
  },
];

async function runBan(context: CommandContext): Promise<undefined> {
  const dryRun = context.flags['dry-run'] === true;
  const withNewcomers = context.flags['with-newcomers'] === true;
  const done = await ban(context.client, context.args[0] ?? '', { dryRun, withNewcomers });
  const who = done.name === done.id ? done.id.slice(0, 12) : `${done.name} (${done.id.slice(0, 12)})`;
  const text = done.already
    ? `${who} is banned already.`
    : dryRun
      ? `Would ban ${who}.`
      : `Banned ${who}; the other members still know it. headcut unban ${done.id.slice(0, 12)} ends that.`;
  const lines = [text, ...newcomersText(done)].join('\n');
  await emit(context, { data: done, text: () => lines });
}

function newcomersText({ name, newcomers, withNewcomers }: Banned): string[] {
  if (newcomers.length === 0) return [];
  const who = `${counted(newcomers.length, 'peer')} came in by its word or by theirs: ${listed(newcomers)}`;
  return withNewcomers
    ? [`${who}; banned as well, but for those that headcut approve lets in.`]
    : [`${who}; they stay. headcut ban ${name} --with-newcomers ends theirs too.`];
}

async function runUnban(context: CommandContext): Promise<undefined> {
  const dryRun = context.flags['dry-run'] === true;
  const done = await unban(context.client, context.args[0] ?? '', { dryRun });
  const who = done.id.slice(0, 12);
  const text = dryRun ? `Would unban ${who}.` : `Unbanned ${who}; it comes back by a new invitation of this cluster.`;
  await emit(context, { data: done, text: () => text });
}
