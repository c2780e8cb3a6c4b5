import { messageOf } from '../core/coded-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { excludeDaemonSets } from '../ops/exclude-daemon-sets.ts';
import { DEFAULT_INVITATION_TTL_MS, invite } from '../ops/invite.ts';
import { DEFAULT_JOIN_TIMEOUT_MS, join } from '../ops/join.ts';
import { type FederationSummary, readStatus } from '../ops/status.ts';
import type { Clock } from '../runtime/clock.ts';
import { parseDuration } from './duration.ts';
import { renderTable } from './table.ts';

export interface CommandContext {
  client: KubeClient;
  clock: Clock;
  randomBytes(count: number): Uint8Array;
  args: string[];
  flags: { ttl?: string; timeout?: string };
  json: boolean;
  out(text: string): void;
  note(text: string): void;
}

export interface Command {
  name: string;
  /** Names of positional arguments, all required. */
  args: string[];
  flags: ('ttl' | 'timeout' | 'output')[];
  summary: string;
  run(context: CommandContext): Promise<void>;
}

/** All commands that work on a cluster, in the order of the help. */
export const COMMANDS: Command[] = [
  {
    name: 'invite',
    args: [],
    flags: ['ttl', 'output'],
    summary: 'make a token with which one other cluster can join this federation',
    run: runInvite,
  },
  {
    name: 'join',
    args: ['TOKEN'],
    flags: ['timeout', 'output'],
    summary: 'join this cluster to the federation that made the token',
    run: runJoin,
  },
  {
    name: 'status',
    args: [],
    flags: ['output'],
    summary: 'show the members of the federation as this cluster sees them',
    run: async (context) => {
      const status = await readStatus(context.client);
      context.out(context.json ? toJson(status) : renderStatus(status));
    },
  },
];

async function runInvite(context: CommandContext): Promise<void> {
  const { client, clock, randomBytes, flags } = context;
  const ttlMs = flags.ttl === undefined ? DEFAULT_INVITATION_TTL_MS : parseDuration(flags.ttl);
  const invitation = await invite(client, { ttlMs, clock, randomBytes });
  await touchDaemonSets(context);
  if (context.json) return context.out(toJson(invitation));
  context.note(`One cluster can join ${invitation.inviter.name} with this token until ${invitation.expiresAt}:`);
  context.out(invitation.token);
}

async function runJoin(context: CommandContext): Promise<void> {
  const { client, clock, flags, args } = context;
  const timeoutMs = flags.timeout === undefined ? DEFAULT_JOIN_TIMEOUT_MS : parseDuration(flags.timeout);
  const joined = await join(client, args[0] ?? '', { timeoutMs, clock });
  await touchDaemonSets(context);
  if (context.json) return context.out(toJson(joined));
  const how = joined.already ? 'Already a member together with' : 'Joined';
  context.out(`${how} ${joined.inviter}; members besides this one: ${joined.members.join(', ')}`);
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

function renderStatus(status: FederationSummary): string {
  const { self, members } = status;
  const head = `${self.name === '' ? '(agent not ready)' : self.name}  ${self.id.slice(0, 12)}  ${self.endpoints.join(', ')}`;
  if (members.length === 0)
    return `${head}\n\nNo other members. Run headcut invite here, and headcut join TOKEN against another cluster.`;
  const rows = members.map((member) => {
    const node = member.virtualNode;
    const { cpu = '-', memory = '-', pods = '-' } = node?.allocatable ?? {};
    const nodeText = node === undefined ? '-' : `${node.name}${node.ready ? '' : ' (not ready)'}`;
    return [member.name, member.state, nodeText, cpu, memory, pods, member.endpoints.join(','), member.problem ?? ''];
  });
  const table = renderTable(['MEMBER', 'STATE', 'NODE', 'CPU', 'MEMORY', 'PODS', 'ENDPOINTS', 'MESSAGE'], rows);
  return `${head}\n\n${table}`;
}

function toJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}
