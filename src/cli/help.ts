import type { Command } from './command.ts';
import { COMMAND_GROUPS } from './commands.ts';
import { FLAGS, type FlagName, type FlagSpec, flagUsage, GLOBAL_FLAGS } from './flags.ts';
import { INSTALL_HELP } from './install-commands.ts';

/** `headcut what-if PEER [dies]` */
export function usageOf({ name, args }: Pick<Command, 'name' | 'args'>): string {
  return ['headcut', name, ...args.map((one) => (one.optional === true ? `[${one.name}]` : one.name))].join(' ');
}

/** The page of all commands. */
export function overviewHelp(): string {
  const own = [
    row('lab COMMAND', 'real clusters side by side on this machine, to try things out; headcut lab help says more'),
    row('version', 'print the versions of this command and of the agent'),
    row('completion bash|zsh|fish', 'print a script that lets the shell complete commands, peers and namespaces'),
    row('help [COMMAND]', 'show this, or how to use one command'),
  ];
  return [
    'headcut joins Kubernetes clusters into a federation without a head.',
    '',
    ...COMMAND_GROUPS.flatMap(({ title, commands }) => [
      `${title}:`,
      ...commands.map((command) => row(usageOf(command).replace(/^headcut /, ''), command.summary)),
      '',
    ]),
    'Install:',
    INSTALL_HELP.replaceAll('  headcut ', '  '),
    '',
    'Other:',
    ...own,
    '',
    'Every command takes --kubeconfig FILE and --context NAME, as kubectl does; headcut help COMMAND shows its flags and examples.',
    'Exit codes: 0 done, 1 failed, 2 wrong usage.',
  ].join('\n');
}

function row(usage: string, summary: string): string {
  return `  ${usage.padEnd(34)} ${summary}`;
}

/** The page of one command. */
export function commandHelp(command: Command): string {
  const flags: FlagName[] = [...command.flags, ...GLOBAL_FLAGS];
  const width = Math.max(...flags.map((name) => flagUsage(name).length)) + 2;
  return [
    `${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}.`,
    '',
    'Usage:',
    `  ${usageOf(command)} [flags]`,
    '',
    'Examples:',
    ...command.examples.map((example) => `  headcut ${example}`),
    '',
    'Flags:',
    ...flags.map((name) => {
      const spec: FlagSpec = FLAGS[name];
      return `  ${flagUsage(name).padEnd(width)} ${spec.description}`;
    }),
  ].join('\n');
}
