import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { runCli } from '../cli/run-cli.ts';
import { CodedError } from '../core/coded-error.ts';
import { systemClock } from '../runtime/clock.ts';
import { VERSION } from '../runtime/version.ts';

/** A command asks a handful of questions: their answers come sooner one after the other than after as many handshakes. */
const MAX_CONNECTIONS = 2;

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
      const client = createKubeClient({ ...connection, maxConnections: MAX_CONNECTIONS }, systemClock, onWrite);
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
    runLab: async (args) => (await import('../lab/lab-of-tree.ts')).runLabOfTree(process.argv[1] ?? '', args),
    serveConsole: async (options) => (await loadConsole()).serveConsole(process.argv[1] ?? '', options),
    writeFile: (path, data) => writeFile(path, data, { mode: 0o600 }),
  });
}

/** The agent's image has the command without a console: nobody's browser reaches the loopback of a pod. */
async function loadConsole(): Promise<typeof import('./console.ts')> {
  try {
    return await import('./console.ts');
  } catch (error) {
    if (!['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
    throw new CodedError(
      'FailedPrecondition',
      'this headcut has no console beside it, as the one in the agent’s image: run headcut console on your own machine, with the command from its package (npx headcut console) or from the source tree',
    );
  }
}
