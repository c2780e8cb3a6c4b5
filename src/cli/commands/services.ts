import { type SharedService, sharedServices } from '../../core/explain/shared-services.ts';
import { readSharedObjects } from '../../ops/shared-objects.ts';
import { readWorld } from '../../ops/world.ts';
import type { Command, CommandContext } from '../command.ts';
import { blocks, bullets, emit } from '../output.ts';
import { renderTable } from '../table.ts';

/** What members share. */
export const SERVICES_COMMAND: Command = {
  name: 'services',
  args: [],
  flags: ['namespace', 'all-namespaces', 'output'],
  summary:
    'list the Services that members share: what is exported, what is imported from where, and what is in conflict',
  examples: ['services -A', 'services -n shop'],
  run: runServices,
};

async function runServices(context: CommandContext): Promise<undefined> {
  const all = context.flags['all-namespaces'] === true || context.flags.namespace === undefined;
  const [world, objects] = await Promise.all([
    readWorld(context.client, context.clock),
    readSharedObjects(context.client, all ? undefined : context.namespace),
  ]);
  const services = sharedServices(world, objects);
  const text = (): string =>
    services.length === 0
      ? 'No Service is shared. A ServiceExport of its name shares one: docs/services.md says how.'
      : blocks(serviceTable(services), problemText(services));
  await emit(context, { data: services, text, names: () => services.map(({ name }) => `serviceimport/${name}`) });
}

function serviceTable(services: readonly SharedService[]): string {
  const rows = services.map((one) => [
    one.namespace,
    one.name,
    one.type ?? '-',
    one.ips.length === 0 ? '-' : one.ips.join(','),
    one.exported ? 'yes' : 'no',
    one.from.length === 0 ? '-' : one.from.join(','),
    String(one.readyEndpoints),
    stateOf(one),
  ]);
  return renderTable(['NAMESPACE', 'NAME', 'TYPE', 'ADDRESS', 'EXPORTED', 'FROM', 'READY', 'STATE'], rows);
}

function problemText(services: readonly SharedService[]): string {
  const lines = services.flatMap(({ namespace, name, problems }) =>
    problems.map((problem) => `${namespace}/${name}: ${problem}`),
  );
  return lines.length === 0 ? '' : bullets(lines);
}

function stateOf({ type, readyEndpoints, problems }: SharedService): string {
  if (problems.length > 0) return problems.map((problem) => problem.split(':')[0]).join(',');
  return type !== undefined && readyEndpoints === 0 ? 'no endpoints' : 'ok';
}
