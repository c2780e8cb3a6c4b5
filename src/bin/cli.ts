import { randomBytes } from 'node:crypto';
import { runCli } from '../cli/run-cli.ts';
import { createKubeClient } from '../kube/client.ts';
import { kubeconfigConnection } from '../kube/kubeconfig.ts';
import { systemClock } from '../runtime/clock.ts';
import { VERSION } from '../runtime/version.ts';

process.exitCode = await runCli(process.argv.slice(2), {
  version: VERSION,
  connect: async (options) => createKubeClient(await kubeconfigConnection(options)),
  clock: systemClock,
  randomBytes,
  out: (text) => void process.stdout.write(`${text}\n`),
  error: (text) => void process.stderr.write(`${text}\n`),
});
