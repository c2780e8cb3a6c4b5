import { messageOf } from '../../core/coded-error.ts';
import { parseDuration } from '../../core/duration.ts';
import { approve } from '../../ops/approve.ts';
import { drainPeer } from '../../ops/drain.ts';
import { excludeDaemonSets } from '../../ops/exclude-daemon-sets.ts';
import { forgetPeer } from '../../ops/forget.ts';
import { listInvitations, revokeInvitation } from '../../ops/invitations.ts';
import { DEFAULT_INVITATION_TTL_MS, invite } from '../../ops/invite.ts';
import { DEFAULT_JOIN_TIMEOUT_MS, join } from '../../ops/join.ts';
import { type LeaveProgress, leave } from '../../ops/leave.ts';
import type { Command, CommandContext } from '../command.ts';
import { emit } from '../output.ts';
import { renderTable } from '../table.ts';

/** Who belongs to the federation. */
export const MEMBERSHIP_COMMANDS: Command[] = [
  {
    name: 'invite',
    args: [],
    flags: ['ttl', 'uses', 'output'],
    summary: 'make a token with which one other cluster can join this federation',
    examples: ['invite --context a', 'invite --ttl 1h --uses 3'],
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
  {
    name: 'invitations',
    args: [],
    flags: ['revoke', 'output'],
    summary: 'list the invitations that were made here, or end one',
    examples: ['invitations', 'invitations --revoke 3f9a0c1b2d'],
    run: runInvitations,
  },
  {
    name: 'approve',
    args: [{ name: 'CLUSTER' }],
    flags: ['output'],
    summary: 'let in a newcomer that waits for approval (admission: Manual); by name or ID',
    examples: ['approve c'],
    run: async (context) => {
      const done = await approve(context.client, context.args[0] ?? '');
      await emit(context, { data: done, text: () => `Approved ${done.name} (${done.id.slice(0, 12)}).` });
      return undefined;
    },
  },
  {
    name: 'forget',
    args: [{ name: 'PEER', completes: 'peers' }],
    flags: ['output'],
    summary: 'end the membership of a peer for this cluster alone, whether it lives or not',
    examples: ['forget c'],
    run: async (context) => {
      const done = await forgetPeer(context.client, context.args[0] ?? '', context.clock);
      await emit(context, { data: done, text: () => `Forgot ${done.name}; the other members still know it.` });
      return undefined;
    },
  },
  {
    name: 'leave',
    args: [],
    flags: ['timeout', 'force'],
    summary: 'bring the pods of this cluster home and end its membership for everybody',
    examples: ['leave --context b'],
    run: runLeave,
  },
];

async function runInvitations(context: CommandContext): Promise<undefined> {
  const { client, clock, flags } = context;
  if (flags.revoke !== undefined) {
    await revokeInvitation(client, flags.revoke);
    return void (await emit(context, {
      data: { revoked: flags.revoke },
      text: () => `Ended invitation ${flags.revoke}.`,
    }));
  }
  const list = await listInvitations(client, clock);
  const rows = list.map((one) => [
    one.invitation,
    one.state,
    one.expiresAt,
    `${one.usedBy.length}/${one.maxUses}`,
    one.usedBy.join(','),
  ]);
  const table = (): string => renderTable(['INVITATION', 'STATE', 'EXPIRES', 'USES', 'USED BY'], rows);
  await emit(context, { data: list, text: () => (list.length === 0 ? 'No invitations.' : table()) });
}

/** For each peer; what is not home by then is left to the failover. */
const MOVE_WITHIN_MS = 30_000;

async function runLeave(context: CommandContext): Promise<undefined> {
  const { client, clock, flags, signal } = context;
  const timeoutMs = flags.timeout === undefined ? MOVE_WITHIN_MS : parseDuration(flags.timeout);
  const options = { clock, signal, timeoutMs, force: flags.force === true, dryRun: false };
  const moveAway = async (peer: string): Promise<void> => {
    for await (const step of drainPeer(client, peer, options))
      if ('pod' in step) context.note(`${step.type} ${step.pod}`);
  };
  for await (const step of leave(client, { clock, moveAway })) context.out(describeLeave(step));
}

function describeLeave(step: LeaveProgress): string {
  switch (step.type) {
    case 'moving':
      return `bringing home what is on ${step.peer}`;
    case 'not-moved':
      return `not everything came home from ${step.peer}: ${messageOf(step.error)}`;
    case 'leaving':
      return `telling ${step.members} members`;
    case 'left':
      return 'Left the federation.';
    case 'left-silently':
      return 'Left the federation; the agent did not tell the others, which see this member as unreachable: run headcut forget there.';
  }
}

async function runInvite(context: CommandContext): Promise<undefined> {
  const { client, clock, randomBytes, flags } = context;
  const ttlMs = flags.ttl === undefined ? DEFAULT_INVITATION_TTL_MS : parseDuration(flags.ttl);
  const maxUses = flags.uses === undefined ? 1 : Number(flags.uses);
  const invitation = await invite(client, { ttlMs, maxUses, clock, randomBytes });
  await touchDaemonSets(context);
  if (context.form === 'text')
    context.note(
      `${maxUses === 1 ? 'One cluster' : `${maxUses} clusters`} can join ${invitation.inviter.name} with this token until ${invitation.expiresAt}:`,
    );
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
