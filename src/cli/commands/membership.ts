import { messageOf } from '../../core/coded-error.ts';
import { excludeDaemonSets } from '../../ops/exclude-daemon-sets.ts';
import { DEFAULT_INVITATION_TTL_MS, invite } from '../../ops/invite.ts';
import { DEFAULT_JOIN_TIMEOUT_MS, join } from '../../ops/join.ts';
import type { Command, CommandContext } from '../command.ts';
import { parseDuration } from '../duration.ts';
import { emit } from '../output.ts';

/** Who belongs to the federation. */
export const MEMBERSHIP_COMMANDS: Command[] = [
  {
    name: 'invite',
    args: [],
    flags: ['ttl', 'output'],
    summary: 'make a token with which one other cluster can join this federation',
    examples: ['invite --context a', 'invite --ttl 1h'],
    run: runInvite,
  },
  {
    name: 'join',
    args: [{ name: 'TOKEN' }],
    flags: ['timeout', 'output'],
    summary: 'join this cluster to the federation that made the token',
    examples: ['join --context b hc1.eyJ2Ijox…'],
    run: runJoin,
  },
];

async function runInvite(context: CommandContext): Promise<undefined> {
  const { client, clock, randomBytes, flags } = context;
  const ttlMs = flags.ttl === undefined ? DEFAULT_INVITATION_TTL_MS : parseDuration(flags.ttl);
  const invitation = await invite(client, { ttlMs, clock, randomBytes });
  await touchDaemonSets(context);
  if (context.form === 'text')
    context.note(`One cluster can join ${invitation.inviter.name} with this token until ${invitation.expiresAt}:`);
  await emit(context, { data: invitation, text: () => invitation.token });
}

async function runJoin(context: CommandContext): Promise<undefined> {
  const { client, clock, flags, args } = context;
  const timeoutMs = flags.timeout === undefined ? DEFAULT_JOIN_TIMEOUT_MS : parseDuration(flags.timeout);
  const joined = await join(client, args[0] ?? '', { timeoutMs, clock });
  await touchDaemonSets(context);
  const how = joined.already ? 'Already a member together with' : 'Joined';
  const text = `${how} ${joined.inviter}; members besides this one: ${joined.members.join(', ')}`;
  await emit(context, { data: joined, text: () => text });
}

/** A convenience that must not fail what the user asked for. */
async function touchDaemonSets(context: CommandContext): Promise<void> {
  try {
    const touched = await excludeDaemonSets(context.client);
    if (touched.length > 0) context.note(`Kept away from virtual nodes: DaemonSets ${touched.join(', ')}`);
  } catch (error) {
    context.note(`DaemonSets were not kept away from virtual nodes: ${messageOf(error)}`);
  }
}
