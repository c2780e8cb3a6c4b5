import { join } from 'node:path';
import { messageOf } from '../core/coded-error.ts';
import { parseLabCommand } from '../lab/lab-command.ts';
import { createProgress } from '../lab/progress.ts';
import { runLab } from '../lab/run-lab.ts';
import { systemClock } from '../runtime/clock.ts';
import { runCommand } from '../runtime/command.ts';

/** `scripts/lab`: parses the arguments, composes, and turns failures into a message and an exit code. */
async function main(): Promise<number> {
  const interrupted = new AbortController();
  process.once('SIGTERM', () => interrupted.abort(new Error('terminated')));
  return await runLab(parseLabCommand(process.argv.slice(2)), {
    clock: systemClock,
    progress: createProgress(systemClock, (line) => process.stderr.write(line)),
    root: join(import.meta.dirname, '..', '..'),
    toolsFolder: process.env.HEADCUT_TOOLS ?? '',
    k0sBinary: process.env.HEADCUT_K0S || undefined,
    kind: {
      run: runCommand,
      kind: process.env.HEADCUT_KIND || 'kind',
      engine: process.env.KIND_EXPERIMENTAL_PROVIDER || undefined,
    },
    signal: interrupted.signal,
    print: (text) => process.stdout.write(text),
    terminal: process.env.TERM ?? 'dumb',
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`error: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
