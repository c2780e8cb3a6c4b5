import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { CodedError } from '../core/coded-error.ts';

/** The only place that starts processes. */

export interface CommandOptions {
  /** What the command reads from standard input; nothing by default. */
  input?: string | undefined;
  cwd?: string | undefined;
  /** Replaces the environment; the default is our own. */
  env?: Record<string, string> | undefined;
  /** Ends the command after this time; the default is two minutes. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

const DEFAULT_TIMEOUT_MS = 120_000;
/** Lines of output that an error message carries. */
const TAIL_LINES = 15;

/** Runs a command to its end, whatever its exit code. Throws only when it cannot be started or is cut short. */
export function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const timeout = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: 'pipe',
      killSignal: 'SIGKILL',
      signal: options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]),
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', (error) => {
      const what = timeout.aborted ? `timed out: ${argv.join(' ')}` : `cannot run ${argv.join(' ')}`;
      reject(new CodedError('Internal', what, error));
    });
    child.on('close', (exitCode) =>
      resolve({
        exitCode: exitCode ?? -1,
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      }),
    );
    child.stdin.on('error', () => {}); // a command that ends without reading its input
    child.stdin.end(options.input ?? '');
  });
}

/** Runs a command that must succeed and gives its standard output; the error carries the tail of what it printed. */
export async function execute(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand(argv, options);
  if (exitCode === 0) return stdout;
  const tail = `${stdout}\n${stderr}`.trim().split('\n').slice(-TAIL_LINES).join('\n');
  throw new CodedError('Internal', `${argv.join(' ')} failed (exit code ${exitCode}): ${tail}`);
}

/** Starts a command that outlives us, in a session of its own; both outputs are appended to `logFile`. Gives its process ID. */
export function startDetached(
  argv: readonly string[],
  logFile: string,
  env?: Record<string, string>,
): Promise<number | undefined> {
  const [program = '', ...args] = argv;
  const log = openSync(logFile, 'a');
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { detached: true, env, cwd: '/', stdio: ['ignore', log, log] });
    closeSync(log);
    child.on('error', (error) => reject(new CodedError('Internal', `cannot start ${argv.join(' ')}`, error)));
    child.on('spawn', () => {
      child.unref();
      resolve(child.pid);
    });
  });
}

/** Runs a command on our own terminal and gives its exit code. Interrupts go to the command, not to us. */
export function runAttached(argv: readonly string[], env?: Record<string, string>): Promise<number> {
  const [program = '', ...args] = argv;
  const ignore = (): void => {};
  process.on('SIGINT', ignore);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: 'inherit' });
    child.on('error', (error) => reject(new CodedError('Internal', `cannot run ${argv.join(' ')}`, error)));
    child.on('close', (exitCode, signal) => {
      process.off('SIGINT', ignore);
      resolve(exitCode ?? (signal === 'SIGINT' ? 130 : 1));
    });
  });
}
