import { CodedError } from '../../core/coded-error.ts';
import { ageText } from '../../core/explain/age.ts';
import {
  type MemberOverview,
  memberOverview,
  type Overview,
  overviewOf,
  type TravellingPod,
  travellingPods,
} from '../../core/explain/overview.ts';
import type { World } from '../../core/explain/world.ts';
import { readableQuantity } from '../../core/quantities/quantity.ts';
import { readWorld } from '../../ops/world.ts';
import type { Command, CommandContext } from '../command.ts';
import { blocks, bullets, emit } from '../output.ts';
import { renderTable } from '../table.ts';

/** What there is. */
export const LOOK_COMMANDS: Command[] = [
  {
    name: 'status',
    args: [],
    flags: ['output'],
    summary: 'show problems first, then the members: state, what each offers and uses, pods out and in',
    examples: ['status', 'status --context b -o wide'],
    run: async (context) => {
      const world = await readWorld(context.client, context.clock);
      const overview = overviewOf(world);
      const names = () => overview.members.map(({ name }) => `peer/${name}`);
      await emit(context, { data: overview, text: (wide) => renderStatus(overview, world.now, wide), names });
      return undefined;
    },
  },
  {
    name: 'peers',
    args: [],
    flags: ['output'],
    summary: 'list the other members',
    examples: ['peers', 'peers -o name'],
    run: async (context) => {
      const world = await readWorld(context.client, context.clock);
      const { members } = overviewOf(world);
      const names = () => members.map(({ name }) => `peer/${name}`);
      await emit(context, { data: members, text: (wide) => memberTable(members, world.now, wide), names });
      return undefined;
    },
  },
  {
    name: 'peer',
    args: [{ name: 'PEER', completes: 'peers' }],
    flags: ['output'],
    summary: 'show all that is known of one member',
    examples: ['peer b'],
    run: runPeer,
  },
  {
    name: 'pods',
    args: [],
    flags: ['namespace', 'all-namespaces', 'output'],
    summary: 'list pods of this cluster that are elsewhere, and pods of others that are here',
    examples: ['pods -A', 'pods -n demo'],
    run: runPods,
  },
];

async function runPeer(context: CommandContext): Promise<undefined> {
  const world = await readWorld(context.client, context.clock);
  const name = context.args[0] ?? '';
  const peer = world.peers.find((one) => one.metadata.name === name);
  if (peer === undefined) throw new CodedError('NotFound', `there is no peer ${name}; headcut peers lists them`);
  const member = memberOverview(world, peer);
  const pods = travellingPods(world).filter((pod) => pod.peer === name);
  const text = (): string =>
    blocks(renderMember(member, world), pods.length === 0 ? '' : podTable(pods, world.now, true));
  await emit(context, { data: { ...member, pods }, text, names: () => [`peer/${name}`] });
}

async function runPods(context: CommandContext): Promise<undefined> {
  const world = await readWorld(context.client, context.clock);
  // What runs for others is in namespaces of their own, so it is shown with all namespaces only.
  const all = context.flags['all-namespaces'] === true || context.flags.namespace === undefined;
  const pods = travellingPods(world).filter((pod) => all || pod.namespace === context.namespace);
  const text = (wide: boolean): string =>
    pods.length === 0 ? 'No pods are elsewhere, and none of others are here.' : podTable(pods, world.now, wide);
  await emit(context, { data: pods, text, names: () => pods.map((pod) => `pod/${pod.name}`) });
}

function renderStatus(overview: Overview, now: number, wide: boolean): string {
  const { self, members, problems } = overview;
  const name = self.name === '' ? '(agent not ready)' : self.name;
  const version = self.version === undefined ? '' : `headcut ${self.version}`;
  const facts = [name, self.id.slice(0, 12), self.endpoints.join(', '), self.podNetwork ?? '', version];
  const head = facts.filter((one) => one !== '');
  const table =
    members.length === 0
      ? 'No other members. Run headcut invite here, and headcut join TOKEN against another cluster.'
      : memberTable(members, now, wide);
  return blocks(problems.length === 0 ? '' : `Problems:\n${bullets(problems)}`, head.join('  '), table);
}

function memberTable(members: readonly MemberOverview[], now: number, wide: boolean): string {
  const head = [
    'MEMBER',
    'STATE',
    'SINCE',
    'VERSION',
    'RTT',
    'CPU USED/OFFERED',
    'MEMORY USED/OFFERED',
    'PODS OUT',
    'PODS IN',
  ];
  const rows = members.map((member) => [
    member.name,
    member.state,
    dash(ageText(now, member.since)),
    dash(member.version),
    member.roundTripMs === undefined ? '-' : `${member.roundTripMs}ms`,
    share(member, 'cpu'),
    share(member, 'memory'),
    String(member.podsOut),
    String(member.podsIn),
    ...(wide
      ? [dash(member.network), dash(member.virtualNode?.name), member.id.slice(0, 12), member.endpoints.join(',')]
      : []),
  ]);
  return renderTable(wide ? [...head, 'NETWORK', 'NODE', 'ID', 'ENDPOINTS'] : head, rows);
}

function share({ uses, offers, virtualNode }: MemberOverview, resource: string): string {
  return virtualNode === undefined
    ? '-'
    : `${readableQuantity(resource, uses[resource] ?? '0')}/${readableQuantity(resource, offers[resource] ?? '0')}`;
}

function renderMember(member: MemberOverview, world: World): string {
  const { now } = world;
  const resources = Object.keys(member.offers)
    .filter((name) => name !== 'pods')
    .map((name) => [
      name,
      readableQuantity(name, member.uses[name] ?? '0'),
      readableQuantity(name, member.offers[name] ?? '0'),
    ]);
  const facts = [
    ['Name', member.name],
    ['ID', member.id],
    ['State', `${member.state}${ageText(now, member.since, ' since ')}`],
    ['Last seen', member.lastSeen === undefined ? '' : `${ageText(now, member.lastSeen)} ago`],
    ['Problem', member.problem ?? ''],
    ['Version', member.version ?? ''],
    ['Round trip', member.roundTripMs === undefined ? '' : `${member.roundTripMs} ms`],
    ['Endpoints', member.endpoints.join(', ')],
    ['Pod network', member.network ?? ''],
    [
      'Node',
      member.virtualNode === undefined
        ? 'none yet'
        : `${member.virtualNode.name}${member.virtualNode.ready ? '' : ' (not Ready)'}`,
    ],
    ['Pods', `${member.podsOut} of ours there, ${member.podsIn} of theirs here`],
    ['May use', member.mayUse ?? ''],
    ['Brought in by', member.broughtInBy ?? ''],
  ].filter(([, value]) => value !== '');
  const width = Math.max(...facts.map(([name = '']) => name.length)) + 3;
  const lines = facts.map(([name = '', value]) => `${`${name}:`.padEnd(width)}${value}`);
  return blocks(
    lines.join('\n'),
    resources.length === 0 ? '' : renderTable(['RESOURCE', 'OURS ASK FOR', 'OFFERED'], resources),
  );
}

function podTable(pods: readonly TravellingPod[], now: number, wide: boolean): string {
  const head = ['DIRECTION', 'NAMESPACE', 'NAME', 'READY', 'STATUS', 'PEER', 'AGE'];
  const rows = pods.map((pod) => [
    pod.direction,
    pod.namespace,
    pod.name,
    pod.ready ? 'yes' : 'no',
    pod.reason ?? pod.phase,
    pod.peer,
    dash(ageText(now, pod.created)),
    ...(wide ? [pod.originNamespace ?? '-'] : []),
  ]);
  return renderTable(wide ? [...head, 'ORIGIN NAMESPACE'] : head, rows);
}

function dash(text: string | undefined): string {
  return text === undefined || text === '' ? '-' : text;
}
