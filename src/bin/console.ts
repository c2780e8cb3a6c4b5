import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ConsoleOptions, startConsole } from '../console/console-server.ts';
import { execute } from '../runtime/command.ts';
import { createLineLogger } from '../runtime/line-logger.ts';

/** The console, beside the command as it has a server in it; `headcut console` loads it. @param command path of the command */
export async function serveConsole(command: string, options: Omit<ConsoleOptions, 'pageFolder' | 'logger'>) {
  const logger = createLineLogger(() => {});
  return await startConsole({ ...options, logger, pageFolder: await pageFolder(command) });
}

/** Beside a bundled command; in the source tree it is bundled now. */
async function pageFolder(command: string): Promise<string> {
  const folder = dirname(realpathSync(command));
  const root = join(folder, '..', '..');
  const bundler = join(root, 'scripts', 'bundle.ts');
  if (existsSync(join(folder, 'console')) || !existsSync(bundler)) return join(folder, 'console');
  await execute([process.execPath, bundler, '--page']);
  return join(root, 'dist', 'console');
}
