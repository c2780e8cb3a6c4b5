import { parseArgs } from 'node:util';
import { messageOf } from '../core/coded-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { type CliDeps, EXIT } from './cli-deps.ts';
import { COMMANDS, type Command } from './commands.ts';
import { INSTALL_HELP, runInstallCommand } from './install-commands.ts';

export type { CliDeps } from './cli-deps.ts';

const OPTIONS = {
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  output: { type: 'string', short: 'o' },
  ttl: { type: 'string' },
  timeout: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Flags = { [name in Exclude<keyof typeof OPTIONS, 'help'>]?: string } & { help?: boolean };

/** Runs one command; the result is the exit code. */
export async function runCli(argv: string[], deps: CliDeps): Promise<number> {
  const installExit = await runInstallCommand(argv, deps);
  if (installExit !== undefined) return installExit;
  let client: KubeClient | undefined;
  try {
    const { values, positionals } = parse(argv);
    const [name = 'help', ...args] = positionals;
    if (name === 'help' || values.help === true) {
      deps.out(helpText());
      return EXIT.ok;
    }
    if (name === 'version') {
      deps.out(values.output === 'json' ? JSON.stringify({ version: deps.version }) : `headcut ${deps.version}`);
      return EXIT.ok;
    }
    const command = COMMANDS.find((one) => one.name === name);
    if (command === undefined) throw new UsageError(`unknown command "${name}"`);
    checkUsage(command, args, values);
    client = await deps.connect({ path: values.kubeconfig, context: values.context });
    const { clock, randomBytes, out, error: note } = deps;
    await command.run({ client, clock, randomBytes, args, flags: values, json: values.output === 'json', out, note });
    return EXIT.ok;
  } catch (error) {
    deps.error(`error: ${messageOf(error)}`);
    if (!(error instanceof UsageError)) return EXIT.failed;
    deps.error('run headcut help to see the commands');
    return EXIT.usage;
  } finally {
    await client?.close();
  }
}

class UsageError extends Error {}

function parse(argv: string[]): { values: Flags; positionals: string[] } {
  try {
    return parseArgs({ args: argv, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

function checkUsage(command: Command, args: string[], values: Flags): void {
  if (args.length !== command.args.length) {
    throw new UsageError(`usage: headcut ${[command.name, ...command.args].join(' ')}`);
  }
  for (const flag of ['ttl', 'timeout', 'output'] as const) {
    if (values[flag] !== undefined && !command.flags.includes(flag)) {
      throw new UsageError(`headcut ${command.name} has no --${flag}`);
    }
  }
  if (values.output !== undefined && values.output !== 'json') throw new UsageError('-o takes json');
}

function helpText(): string {
  const lines = COMMANDS.map(({ name, args, flags, summary }) => {
    const usage = [name, ...args, ...flags.map((flag) => FLAG_USAGE[flag])].join(' ');
    return `  headcut ${usage.padEnd(36)} ${summary}`;
  });
  return [
    'headcut joins Kubernetes clusters into a federation without a head.',
    '',
    INSTALL_HELP,
    ...lines,
    `  headcut ${'version'.padEnd(36)} print the version`,
    '',
    'All commands take --kubeconfig FILE and --context NAME, as kubectl does.',
  ].join('\n');
}

const FLAG_USAGE = { ttl: '[--ttl 15m]', timeout: '[--timeout 60s]', output: '[-o json]' } as const;
