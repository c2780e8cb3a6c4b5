import { CodedError } from '../../core/coded-error.ts';
import { counted } from '../../core/explain/age.ts';
import { explainNamespace } from '../../core/explain/explain-namespace.ts';
import { explainPeer } from '../../core/explain/explain-peer.ts';
import { type ConsideredMember, type Explanation, explainPod } from '../../core/explain/explain-pod.ts';
import { explainService } from '../../core/explain/shared-services.ts';
import { type WhatIf, whatIfPeerDies } from '../../core/explain/what-if.ts';
import type { World } from '../../core/explain/world.ts';
import { readableQuantity } from '../../core/quantities/quantity.ts';
import { readSharedObjects } from '../../ops/shared-objects.ts';
import { networkPoliciesOf, readWorld } from '../../ops/world.ts';
import { type Command, type CommandContext, UsageError } from '../command.ts';
import { blocks, bullets, emit } from '../output.ts';
import { renderTable } from '../table.ts';

const KINDS = ['pod', 'namespace', 'peer', 'service'] as const;

/** Why things are as they are, and what would become of them. */
export const EXPLAIN_COMMANDS: Command[] = [
  {
    name: 'explain',
    args: [{ name: 'pod|namespace|peer|service', completes: KINDS }, { name: 'NAME' }],
    flags: ['namespace', 'output'],
    summary:
      'say why a pod runs where it runs or why it waits, whether a namespace is offloaded, how a peer is, from where a Service is imported',
    examples: [
      'explain pod web-7d4b9 -n demo',
      'explain namespace demo',
      'explain peer b',
      'explain service web -n demo',
    ],
    run: runExplain,
  },
  {
    name: 'what-if',
    args: [
      { name: 'PEER', completes: 'peers' },
      { name: 'dies', optional: true, completes: ['dies'] },
    ],
    flags: ['output'],
    summary: 'say where the pods on a peer would go if it died, with the room there is now',
    examples: ['what-if b dies'],
    run: runWhatIf,
  },
];

async function runExplain(context: CommandContext): Promise<undefined> {
  const [kind = '', name = ''] = context.args;
  const world = await readWorld(context.client, context.clock);
  const explanation = await explanationOf(world, context, kind, name);
  await emit(context, { data: explanation, text: () => renderExplanation(explanation) });
}

async function explanationOf(world: World, context: CommandContext, kind: string, name: string): Promise<Explanation> {
  switch (kind) {
    case 'pod':
    case 'pods':
    case 'po': {
      const pod = world.pods.find((one) => one.metadata.namespace === context.namespace && one.metadata.name === name);
      if (pod !== undefined) return explainPod(world, pod);
      throw new CodedError('NotFound', `there is no pod ${name} in namespace ${context.namespace}; give -n NAMESPACE`);
    }
    case 'namespace':
    case 'ns':
      if (world.namespaces.some((one) => one.metadata.name === name))
        return explainNamespace(world, name, await networkPoliciesOf(context.client, name));
      throw new CodedError('NotFound', `there is no namespace ${name}, or you may not see it`);
    case 'peer': {
      const explanation = explainPeer(world, name);
      if (explanation !== undefined) return explanation;
      throw new CodedError('NotFound', `there is no peer ${name}; headcut peers lists them`);
    }
    case 'service':
    case 'services':
    case 'svc': {
      const objects = await readSharedObjects(context.client, context.namespace);
      return explainService(world, objects, { namespace: context.namespace, name });
    }
    default:
      throw new UsageError(`headcut explain takes ${KINDS.join(', ')}, not "${kind}"`);
  }
}

function renderExplanation({ summary, because, advice, candidates }: Explanation): string {
  return blocks(
    summary,
    because.length === 0 ? '' : bullets(because),
    candidates === undefined || candidates.length === 0 ? '' : candidateTable(candidates),
    advice.length === 0 ? '' : `What to do:\n${bullets(advice)}`,
  );
}

function candidateTable(candidates: readonly ConsideredMember[]): string {
  const { cpu = '0', memory = '0' } = candidates[0]?.asks ?? {};
  const rows = candidates.map((one) => [
    `${one.chosen ? '*' : ' '} ${one.member}`,
    one.node,
    one.free.cpu ?? '0',
    readableQuantity('memory', one.free.memory ?? '0'),
    one.obstacles.length === 0 ? (one.chosen ? 'it is here' : 'could take it') : one.obstacles.join('; '),
  ]);
  return `Members, for a pod that asks for ${cpu} cpu and ${readableQuantity('memory', memory)} memory:\n${renderTable(['  MEMBER', 'NODE', 'CPU FREE', 'MEMORY FREE', 'VERDICT'], rows)}`;
}

async function runWhatIf(context: CommandContext): Promise<undefined> {
  const [name = '', event = 'dies'] = context.args;
  if (event !== 'dies') throw new UsageError(`headcut what-if knows "dies", not "${event}"`);
  const world = await readWorld(context.client, context.clock);
  const answer = whatIfPeerDies(world, name);
  if (answer === undefined) throw new CodedError('NotFound', `there is no peer ${name}; headcut peers lists them`);
  await emit(context, { data: answer, text: () => renderWhatIf(answer) });
}

function renderWhatIf({ peer, displaced, guests }: WhatIf): string {
  const moved = displaced.filter((pod) => pod.goesTo !== undefined);
  const lost = displaced.length - moved.length;
  const summary =
    displaced.length === 0
      ? `If ${peer} died, no pod of this cluster would be lost: none is there.`
      : `If ${peer} died, ${counted(displaced.length, 'pod')} of this cluster would be lost there; ${moved.length} would run elsewhere${lost === 0 ? '' : `, ${lost} nowhere`}.`;
  const guestsText = guests === 0 ? '' : `${counted(guests, 'pod')} of ${peer} here would go on.`;
  const rows = displaced.map((pod) => [pod.namespace, pod.name, pod.goesTo ?? 'nowhere', pod.why ?? '']);
  const table = rows.length === 0 ? '' : renderTable(['NAMESPACE', 'POD', 'GOES TO', 'WHY'], rows);
  return blocks(summary, guestsText, table);
}
