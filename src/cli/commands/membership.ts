import { messageOf } from '../../core/coded-error.ts';
import { parseDuration } from '../../core/duration.ts';
import { counted, duration } from '../../core/explain/age.ts';
import { type MemberOverview, memberOverview } from '../../core/explain/overview.ts';
import { approve } from '../../ops/approve.ts';
import { awaitMembers } from '../../ops/await-members.ts';
import { cordonPeer, drainPeer, undrainPeer } from '../../ops/drain.ts';
import { excludeDaemonSets } from '../../ops/exclude-daemon-sets.ts';
import { forgetPeer } from '../../ops/forget.ts';
import { awaitUse, listInvitations, revokeInvitation } from '../../ops/invitations.ts';
import { DEFAULT_INVITATION_TTL_MS, invite } from '../../ops/invite.ts';
import { DEFAULT_JOIN_TIMEOUT_MS, join } from '../../ops/join.ts';
import { type LeaveProgress, leave } from '../../ops/leave.ts';
import { approvedText, forgottenTexts } from '../../ops/step-texts.ts';
import { readWorld } from '../../ops/world.ts';
import type { Command, CommandContext } from '../command.ts';
import { emit } from '../output.ts';
import { reportSteps, stopwatch } from '../steps.ts';
import { renderTable } from '../table.ts';

/** Who belongs to the federation. */
export const MEMBERSHIP_COMMANDS: Command[] = [
  {
    name: 'invite',
    args: [],
    flags: ['ttl', 'uses', 'wait', 'output'],
    summary: 'make a token with which one other cluster can join this federation',
    examples: ['invite --context a', 'invite --ttl 1h --uses 3', 'invite --wait'],
    run: runInvite,
  },
  {
    name: 'join',
    args: [{ name: 'TOKEN' }],
    flags: ['wait', 'timeout', 'output'],
    summary: 'join this cluster to the federation that made the token',
    examples: ['join --context b hc1.eyJ2Ijox…', 'join --wait hc1.eyJ2Ijox…'],
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
    flags: ['wait', 'timeout', 'dry-run', 'output'],
    summary: 'let in a newcomer that waits for approval (admission: Manual); by name or ID',
    examples: ['approve c', 'approve c --wait'],
    run: runApprove,
  },
  {
    name: 'forget',
    args: [{ name: 'PEER', completes: 'peers' }],
    flags: ['dry-run', 'output'],
    summary: 'end the membership of a peer for this cluster alone, whether it lives or not',
    examples: ['forget c', 'forget c --dry-run'],
    run: runForget,
  },
  {
    name: 'leave',
    args: [],
    flags: ['timeout', 'force', 'dry-run', 'output'],
    summary: 'bring the pods of this cluster home and end its membership for everybody',
    examples: ['leave --context b', 'leave --dry-run'],
    run: runLeave,
  },
];

async function runApprove(context: CommandContext): Promise<undefined> {
  const dryRun = context.flags['dry-run'] === true;
  const done = await approve(context.client, context.args[0] ?? '', { dryRun });
  const text = approvedText(done, dryRun);
  await emit(context, { data: done, text: () => text });
  if (context.flags.wait === true && !dryRun) await waitFor(context, [done.id], () => done.name);
}

async function runForget(context: CommandContext): Promise<undefined> {
  const { client, clock, signal, flags, args } = context;
  const dryRun = flags['dry-run'] === true;
  const done = await forgetPeer(client, args[0] ?? '', { clock, signal, dryRun });
  const [text = '', ...notes] = forgottenTexts(done, dryRun);
  await emit(context, { data: done, text: () => text });
  for (const note of notes) context.note(note);
}

async function runInvitations(context: CommandContext): Promise<undefined> {
  const { client, clock, flags } = context;
  if (flags.revoke !== undefined) {
    await revokeInvitation(client, flags.revoke);
    const text = `Ended invitation ${flags.revoke}: nobody joins with it any more, and who did stays.`;
    return void (await emit(context, { data: { revoked: flags.revoke }, text: () => text }));
  }
  const list = await listInvitations(client, clock);
  const rows = list.map((one) => [
    one.invitation,
    one.state,
    one.state === 'Open' ? `in ${duration(Date.parse(one.expiresAt) - clock.now())}` : one.expiresAt,
    `${one.usedBy.length}/${one.maxUses}`,
    one.usedBy.join(','),
  ]);
  const table = (): string => renderTable(['INVITATION', 'STATE', 'EXPIRES', 'USES', 'USED BY'], rows);
  await emit(context, {
    data: list,
    text: () => (list.length === 0 ? 'No invitations. headcut invite makes one.' : table()),
    names: () => list.map((one) => `invitation/${one.invitation}`),
  });
}

/** For each peer; what is not home by then is left to the failover. */
const MOVE_WITHIN_MS = 30_000;

async function runLeave(context: CommandContext): Promise<undefined> {
  const { client, clock, flags, signal } = context;
  if (flags['dry-run'] === true) return tellLeave(context);
  const timeoutMs = flags.timeout === undefined ? MOVE_WITHIN_MS : parseDuration(flags.timeout);
  const options = { clock, signal, timeoutMs, force: flags.force === true, dryRun: false };
  const moveAway = async (peer: string): Promise<void> => {
    for await (const step of drainPeer(client, peer, options))
      if ('pod' in step) context.note(`${step.type} ${step.pod}`);
  };
  const doors = {
    closeDoor: (peer: string) => cordonPeer(client, peer),
    openDoor: async (peer: string) => void (await undrainPeer(client, peer, { dryRun: false })),
  };
  return reportSteps(context, asData(leave(client, { clock, signal, moveAway, ...doors })), describeLeave);
}

/** Errors have no JSON. */
async function* asData(steps: AsyncIterable<LeaveProgress>) {
  for await (const step of steps) yield step.type === 'not-moved' ? { ...step, error: messageOf(step.error) } : step;
}

type LeaveStep = ReturnType<typeof asData> extends AsyncGenerator<infer T> ? T : never;

function describeLeave(step: LeaveStep): string {
  switch (step.type) {
    case 'no-member':
      return 'this cluster is in no federation; nothing to do';
    case 'moving':
      return `bringing home what is on ${step.peer}`;
    case 'not-moved':
      return `not everything came home from ${step.peer}: ${step.error}`;
    case 'leaving':
      return `telling ${counted(step.members, 'member')}`;
    case 'left':
      return 'left the federation';
    case 'left-silently':
      return `left the federation on this side; missing on the others: the agent here did not tell them, and does once it runs (kubectl -n headcut-system get pods). Until then they show this member as unreachable; headcut forget ${step.name} there ends that`;
  }
}

async function tellLeave(context: CommandContext): Promise<undefined> {
  const world = await readWorld(context.client, context.clock);
  const members: MemberOverview[] = world.peers.map((peer) => memberOverview(world, peer));
  const out = members.reduce((sum, one) => sum + one.podsOut, 0);
  const guests = members.reduce((sum, one) => sum + one.podsIn, 0);
  const text =
    members.length === 0
      ? 'This cluster is in no federation; nothing to do.'
      : `Would bring home ${counted(out, 'pod')}, give up ${counted(guests, 'pod')} of others that ${guests === 1 ? 'is' : 'are'} here, and tell ${counted(members.length, 'member')}.`;
  const data = { members: members.map(({ name }) => name), podsOut: out, podsIn: guests };
  await emit(context, { data, text: () => text });
}

async function runInvite(context: CommandContext): Promise<undefined> {
  const { client, clock, randomBytes, flags, signal } = context;
  const ttlMs = flags.ttl === undefined ? DEFAULT_INVITATION_TTL_MS : parseDuration(flags.ttl);
  const maxUses = flags.uses === undefined ? 1 : Number(flags.uses);
  const invitation = await invite(client, { ttlMs, maxUses, clock, randomBytes });
  await touchDaemonSets(context);
  if (context.form === 'text')
    context.note(
      `${maxUses === 1 ? 'One cluster' : `${maxUses} clusters`} can join ${invitation.inviter.name} with this token until ${invitation.expiresAt}:`,
    );
  await emit(context, { data: invitation, text: () => invitation.token });
  if (flags.wait !== true) return;
  const at = stopwatch(context);
  for await (const name of awaitUse(client, invitation.invitation, { clock, signal }))
    context.note(at(`${name} joined`));
}

async function runJoin(context: CommandContext): Promise<undefined> {
  const { client, clock, flags, args, signal } = context;
  const joined = await join(client, args[0] ?? '', { timeoutMs: joinTimeout(context), clock, signal });
  await touchDaemonSets(context);
  const how = joined.already ? 'Already a member together with' : 'Joined';
  const text = `${how} ${joined.inviter}; members besides this one: ${joined.members.join(', ')}`;
  await emit(context, { data: joined, text: () => text });
  if (flags.wait === true) await waitFor(context, joined.members);
}

function joinTimeout({ flags }: CommandContext): number {
  return flags.timeout === undefined ? DEFAULT_JOIN_TIMEOUT_MS : parseDuration(flags.timeout);
}

async function waitFor(
  context: CommandContext,
  members: readonly string[],
  nameOf = (who: string): string => who,
): Promise<void> {
  const { client, clock, signal } = context;
  const at = stopwatch(context);
  for await (const who of awaitMembers(client, members, { timeoutMs: joinTimeout(context), clock, signal }))
    context.note(at(`${nameOf(who)} is connected, and its node is Ready`));
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
