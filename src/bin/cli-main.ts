import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, realpathSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCli } from '../cli/run-cli.ts';
import { CodedError } from '../core/coded-error.ts';
import { systemClock } from '../runtime/clock.ts';
import { VERSION } from '../runtime/version.ts';

/** Below src/bin/ and below dist/ the source tree is near; a command that was installed alone has none. */
async function runLab(args: readonly string[]): Promise<number> {
  const own = realpathSync(process.argv[1] ?? '');
  const script = ['..', '../..'].map((up) => join(dirname(own), up, 'scripts', 'lab')).find((path) => existsSync(path));
  if (script === undefined)
    throw new CodedError(
      'FailedPrecondition',
      'the lab belongs to the source tree of headcut, which is not beside this command; get it and run ./scripts/lab there',
    );
  const { runAttached } = await import('../runtime/command.ts');
  return runAttached([script, ...args]);
}

/**
 * The command line; cli.ts loads it. What needs no cluster must not load a client for one: that takes as long as all the rest.
 * @returns the exit code
 */
export function main(): Promise<number> {
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort(new Error('interrupted')));
  // `headcut logs | head`: whoever reads has enough.
  process.stdout.on('error', () => process.exit(0));
  return runCli(process.argv.slice(2), {
    version: VERSION,
    connect: async ({ onWrite, ...options }) => {
      const { createKubeClient } = await import('../kube/client.ts');
      const { kubeconfigConnection } = await import('../kube/kubeconfig.ts');
      const connection = await kubeconfigConnection(options);
      const client = createKubeClient(connection, systemClock, onWrite);
      return { client, namespace: connection.namespace ?? 'default' };
    },
    contexts: async (path) => (await import('../kube/kubeconfig.ts')).kubeconfigContexts(path),
    clock: systemClock,
    randomBytes,
    signal: interrupted.signal,
    out: (text) => void process.stdout.write(`${text}\n`),
    outRaw: async (data) => {
      if (!process.stdout.write(data)) await once(process.stdout, 'drain');
    },
    error: (text) => void process.stderr.write(`${text}\n`),
    runLab,
    writeFile: (path, data) => writeFile(path, data, { mode: 0o600 }),
  });
}
