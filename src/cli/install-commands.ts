import { parseArgs } from 'node:util';
import { messageOf } from '../core/coded-error.ts';
import { parseDuration } from '../core/duration.ts';
import { DEFAULT_INSTALL_TIMEOUT_MS, install } from '../ops/install.ts';
import { DEFAULT_K0S_DATA_FOLDER, removeK0sStack, writeK0sStack } from '../ops/k0s-stack.ts';
import { DEFAULT_UNINSTALL_TIMEOUT_MS, uninstall } from '../ops/uninstall.ts';
import { type CliDeps, EXIT } from './cli-deps.ts';

/** `install` and `uninstall`: apart from the other commands, because they need no agent, and with --k0s no cluster either. */

const OPTIONS = {
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  timeout: { type: 'string' },
  output: { type: 'string', short: 'o' },
  k0s: { type: 'boolean' },
  'data-dir': { type: 'string' },
  image: { type: 'string' },
  'csr-approver': { type: 'boolean' },
  webhook: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const ALLOWED = {
  install: ['kubeconfig', 'context', 'timeout', 'output', 'k0s', 'data-dir', 'image', 'csr-approver', 'webhook'],
  uninstall: ['kubeconfig', 'context', 'timeout', 'k0s', 'data-dir'],
} as const;

export const INSTALL_HELP = `  headcut install [--image IMAGE] [--csr-approver] [--webhook] [--timeout 3m] [-o json]
                                       install headcut in a cluster, or bring it to this version
  headcut install --k0s [--data-dir DIR] [--image IMAGE] [--csr-approver] [--webhook]
                                       on the machine of k0s: let k0s itself install it
  headcut uninstall [--timeout 30s] [--k0s [--data-dir DIR]]
                                       remove headcut and all that it made in this cluster`;

type Values = ReturnType<typeof parse>;

/** The exit code, or undefined when `argv` is no command of these. */
export async function runInstallCommand(argv: readonly string[], deps: CliDeps): Promise<number | undefined> {
  const args = [...argv];
  const [name] = parseArgs({ args, options: OPTIONS, allowPositionals: true, strict: false }).positionals;
  if (name !== 'install' && name !== 'uninstall') return undefined;
  let values: Values;
  try {
    values = parse(name, args);
  } catch (error) {
    deps.error(`error: ${messageOf(error)}`);
    deps.error('run headcut help to see the commands');
    return EXIT.usage;
  }
  if (values.help === true) {
    deps.out(INSTALL_HELP);
    return EXIT.ok;
  }
  try {
    await (name === 'install' ? runInstall(values, deps) : runUninstall(values, deps));
    return EXIT.ok;
  } catch (error) {
    deps.error(`error: ${messageOf(error)}`);
    return EXIT.failed;
  }
}

function parse(name: keyof typeof ALLOWED, args: string[]) {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  if (positionals.length > 1) throw new Error(`headcut ${name} takes no "${positionals[1]}"`);
  const allowed: readonly string[] = [...ALLOWED[name], 'help'];
  const stranger = Object.keys(values).find((flag) => !allowed.includes(flag));
  if (stranger !== undefined) throw new Error(`headcut ${name} has no --${stranger}`);
  if (values['data-dir'] !== undefined && values.k0s !== true) throw new Error('--data-dir belongs to --k0s');
  if (values.output !== undefined && values.output !== 'json') throw new Error('-o takes json');
  return values;
}

async function runInstall(values: Values, deps: CliDeps): Promise<void> {
  const choices = { image: values.image, csrApprover: values['csr-approver'], webhook: values.webhook };
  const json = (value: object): void => deps.out(JSON.stringify(value, undefined, 2));
  if (values.k0s === true) {
    const file = await writeK0sStack(values['data-dir'] ?? DEFAULT_K0S_DATA_FOLDER, choices);
    if (values.output === 'json') return json({ file });
    return deps.out(`Wrote ${file}; k0s installs headcut from it now and whenever it changes.`);
  }
  const timeoutMs = values.timeout === undefined ? DEFAULT_INSTALL_TIMEOUT_MS : parseDuration(values.timeout);
  const { client } = await deps.connect({ path: values.kubeconfig, context: values.context });
  try {
    const installed = await install(client, { ...choices, timeoutMs, clock: deps.clock });
    if (values.output === 'json') return json(installed);
    if (installed.admission === 'webhook')
      deps.error('This API server serves no MutatingAdmissionPolicy; the agent changes pods by a webhook instead.');
    deps.out(
      `Installed headcut ${deps.version}; this member listens on ${installed.endpoints.join(', ')}. Next: headcut invite, or headcut join TOKEN`,
    );
  } finally {
    await client.close();
  }
}

async function runUninstall(values: Values, deps: CliDeps): Promise<void> {
  const timeoutMs = values.timeout === undefined ? DEFAULT_UNINSTALL_TIMEOUT_MS : parseDuration(values.timeout);
  const dataFolder = values['data-dir'] ?? DEFAULT_K0S_DATA_FOLDER;
  // The machine of k0s has the administrator's kubeconfig.
  const path = values.kubeconfig ?? (values.k0s === true ? `${dataFolder}/pki/admin.conf` : undefined);
  const { client } = await deps.connect({ path, context: values.context });
  try {
    await uninstall(client, {
      timeoutMs,
      clock: deps.clock,
      note: (text) => deps.error(text),
      ...(values.k0s === true ? { removeK0sStack: () => void removeK0sStack(dataFolder) } : {}),
    });
    deps.out('Removed headcut and all that it made in this cluster.');
  } finally {
    await client.close();
  }
}
