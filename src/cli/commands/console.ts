import { CodedError } from '../../core/coded-error.ts';
import type { Command, CommandContext } from '../command.ts';

/** Looking at the federation in a browser. */
export const CONSOLE_COMMAND: Command = {
  name: 'console',
  args: [],
  flags: ['port', 'namespace'],
  summary: 'show the federation in a browser of this machine, with the rights of the kubeconfig; until Ctrl-C',
  examples: ['console', 'console --context b --port 8443'],
  run: runConsole,
};

async function runConsole(context: CommandContext): Promise<undefined> {
  const { client, clock, version, randomBytes, namespace, signal, flags } = context;
  const port = Number(flags.port ?? 0);
  if (!Number.isInteger(port) || port < 0 || port > 65_535 || flags.port === '')
    throw new CodedError('InvalidArgument', `--port takes a number up to 65535, not "${flags.port}"`);
  const { url, ended } = await context.serveConsole({
    ...{ client, clock, version, randomBytes, namespace, port, signal },
  });
  context.out(url);
  context.note(
    'Open this address in a browser of this machine. It is a secret: whoever has it can do what you may. Ctrl-C ends it.',
  );
  await ended;
}
