import { parseArgs } from 'node:util';
import { messageOf } from '../core/coded-error.ts';
import { plainText } from '../core/plain-text.ts';
import { agentVersion } from './agent-version.ts';
import { type CliDeps, type ConnectOptions, EXIT } from './cli-deps.ts';
import { type Command, type CommandContext, type OutputForm, UsageError } from './command.ts';
import { COMMANDS } from './commands.ts';
import { COMPLETE_COMMAND, complete, completionScript, SHELLS } from './completion.ts';
import { FLAGS, type FlagName, type FlagValues, GLOBAL_FLAGS } from './flags.ts';
import { commandHelp, overviewHelp, usageOf } from './help.ts';
import { runInstallCommand } from './install-commands.ts';

export type { CliDeps } from './cli-deps.ts';

/** Runs one command; the result is the exit code. */
export async function runCli(argv: string[], raw: CliDeps): Promise<number> {
  const deps = withPlainTexts(raw);
  if (argv[0] === 'lab') return runLab(argv.slice(1), deps);
  const installExit = await runInstallCommand(argv, deps);
  if (installExit !== undefined) return installExit;
  try {
    if (argv[0] === COMPLETE_COMMAND) return await runComplete(argv.slice(argv[1] === '--' ? 2 : 1), deps);
    const { values, positionals } = parse(argv);
    const [name = 'help', ...args] = positionals;
    if (name === 'help' || values.help === true) return showHelp(name === 'help' ? args[0] : name, deps);
    if (name === 'completion') return showCompletion(args[0], deps);
    if (name === 'version') return await showVersion(values, deps);
    const command = COMMANDS.find((one) => one.name === name);
    if (command === undefined) throw new UsageError(`unknown command "${name}"${didYouMean(name)}`);
    checkUsage(command, args, values);
    return await runCommand(command, args, values, deps);
  } catch (error) {
    if (deps.signal.aborted) {
      deps.error('interrupted; nothing is half done, run the same command again to go on');
      return EXIT.failed;
    }
    deps.error(`error: ${messageOf(error)}`);
    if (!(error instanceof UsageError)) return EXIT.failed;
    deps.error('run headcut help to see the commands');
    return EXIT.usage;
  }
}

/** Nothing that others have written reaches the terminal as something to act on; JSON that is escaped means the same. */
function withPlainTexts(deps: CliDeps): CliDeps {
  return { ...deps, out: (text) => deps.out(plainText(text)), error: (text) => deps.error(plainText(text)) };
}

/** The lab has arguments and help of its own. */
async function runLab(args: readonly string[], deps: CliDeps): Promise<number> {
  try {
    return await deps.runLab(args);
  } catch (error) {
    deps.error(`error: ${messageOf(error)}`);
    return EXIT.failed;
  }
}

async function runCommand(command: Command, args: string[], flags: FlagValues, deps: CliDeps): Promise<number> {
  const { clock, version, randomBytes, signal, out, outRaw, error: note, writeFile, serveConsole } = deps;
  const { client, namespace } = await deps.connect(connectOptions(flags, deps));
  const form = formOf(flags.output);
  const context: CommandContext = {
    ...{ client, clock, version, randomBytes, args, flags, form, signal, out, outRaw, note, writeFile, serveConsole },
    namespace: flags.namespace ?? namespace,
    json: form === 'json',
  };
  try {
    return (await command.run(context)) ?? EXIT.ok;
  } finally {
    await client.close();
  }
}

function connectOptions(flags: FlagValues, deps: CliDeps): ConnectOptions {
  const path = flags.kubeconfig;
  const onWrite = (method: string, at: string, status: number): void => deps.error(`${method} ${at} → ${status}`);
  return { path, context: flags.context, onWrite: flags.verbose === true ? onWrite : undefined };
}

function parse(argv: string[]): { values: FlagValues; positionals: string[] } {
  try {
    return parseArgs({ args: argv, options: FLAGS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

const FORMS: Record<string, OutputForm> = { json: 'json', yaml: 'yaml', wide: 'wide', name: 'name' };

function formOf(output: string | undefined): OutputForm {
  if (output === undefined) return 'text';
  const form = FORMS[output];
  if (form === undefined) throw new UsageError(`-o takes ${Object.keys(FORMS).join(', ')}, not "${output}"`);
  return form;
}

function checkUsage(command: Command, args: string[], flags: FlagValues): void {
  const required = command.args.filter((one) => one.optional !== true).length;
  if (args.length < required || args.length > command.args.length) throw new UsageError(`usage: ${usageOf(command)}`);
  const allowed: readonly FlagName[] = [...command.flags, ...GLOBAL_FLAGS];
  const unknown = (Object.keys(flags) as FlagName[]).find((flag) => !allowed.includes(flag));
  if (unknown !== undefined) throw new UsageError(`headcut ${command.name} has no --${unknown}`);
  formOf(flags.output);
}

function didYouMean(name: string): string {
  const near = COMMANDS.map((one) => one.name).find((one) => one.startsWith(name) || name.startsWith(one));
  return near === undefined ? '' : `; did you mean ${near}?`;
}

function showHelp(topic: string | undefined, deps: CliDeps): number {
  const command = COMMANDS.find((one) => one.name === topic);
  deps.out(command === undefined ? overviewHelp() : commandHelp(command));
  return EXIT.ok;
}

function showCompletion(shell: string | undefined, deps: CliDeps): number {
  const script = completionScript(shell ?? '');
  if (script === undefined) throw new UsageError(`usage: headcut completion ${SHELLS.join('|')}`);
  deps.out(script);
  return EXIT.ok;
}

async function runComplete(words: readonly string[], deps: CliDeps): Promise<number> {
  const found = await complete(words, COMMANDS, {
    connect: async ({ kubeconfig, context }) => (await deps.connect({ path: kubeconfig, context })).client,
    contexts: (path) => deps.contexts(path),
  });
  for (const one of found) deps.out(one);
  return EXIT.ok;
}

/** Without a cluster, or without an agent there, the own version is still told. */
async function showVersion(flags: FlagValues, deps: CliDeps): Promise<number> {
  const form = formOf(flags.output);
  const agent = flags.client === true ? undefined : await agentVersion(() => deps.connect(connectOptions(flags, deps)));
  if (form === 'json') deps.out(JSON.stringify({ version: deps.version, ...(agent === undefined ? {} : { agent }) }));
  else deps.out([`headcut ${deps.version}`, ...(agent === undefined ? [] : [`agent   ${agent}`])].join('\n'));
  return EXIT.ok;
}
