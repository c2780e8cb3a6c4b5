import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { kubectlCommand } from './reach-lab.ts';

/** kubectl as a process whose streams tests hold in their hands. */

export interface RunOptions {
  input?: Buffer | string;
  /** The input is sent once this many bytes of output came; at once when undefined. */
  inputAfter?: number;
  /** Variables on top of the environment, such as KUBECTL_REMOTE_COMMAND_WEBSOCKETS. */
  env?: Record<string, string>;
  timeoutMs?: number;
}

export interface RunResult {
  exitCode: number | null;
  stdout: Buffer;
  stderr: string;
}

/** What makes kubectl speak SPDY instead of WebSocket. */
export const SPDY = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' };

/** Starts kubectl; the process ends with the block that holds it. */
export function startKubectl(cluster: string, args: string[], env: Record<string, string> = {}) {
  const child = spawn(...kubectlCommand(cluster, args), { env: { ...process.env, ...env }, stdio: 'pipe' });
  child.stdin.on('error', () => {});
  return Object.assign(child, { [Symbol.asyncDispose]: () => stop(child) });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'close');
}

/** Runs kubectl to its end, whatever its exit code. */
export async function runKubectl(cluster: string, args: string[], options: RunOptions = {}): Promise<RunResult> {
  await using child = startKubectl(cluster, args, options.env);
  const stdout: Buffer[] = [];
  let stderr = '';
  let seen = 0;
  const send = () => child.stdin.end(options.input ?? '');
  child.stdout.on('data', (chunk: Buffer) => {
    stdout.push(chunk);
    const before = seen;
    seen += chunk.length;
    if (options.inputAfter !== undefined && before < options.inputAfter && seen >= options.inputAfter) send();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  if (options.inputAfter === undefined) send();
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { exitCode, stdout: Buffer.concat(stdout), stderr };
}

/** A local port that leads to the pod's, as `kubectl port-forward` prints it. */
export function forwardedPort(child: ReturnType<typeof startKubectl>): Promise<number> {
  let text = '';
  return new Promise((resolve, reject) => {
    // Not `for await`: leaving the loop would close the stream, and kubectl with it.
    child.stdout.on('data', (chunk: Buffer) => {
      text += String(chunk);
      const port = /127\.0\.0\.1:(\d+) ->/.exec(text)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.on('close', () => reject(new Error(`port-forward ended: ${text}`)));
  });
}

export function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}
