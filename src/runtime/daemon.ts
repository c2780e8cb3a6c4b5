import { spawn } from 'node:child_process';

/** A program that runs beside us until it is told to stop, or ends by itself. */
export interface Daemon {
  /** Resolves when it ended: why, for people. Never rejects. */
  readonly ended: Promise<string>;
  /** Asks it to end, and insists after a while. */
  stop(): Promise<void>;
}

const GRACE_MS = 2_000;
/** The end of what it printed is kept for the reason. */
const MAX_TAIL_CHARS = 500;

/** Starts a program with additions to our own environment; its output is only kept for the reason of its end. */
export function startDaemon(argv: readonly string[], env: Record<string, string>): Daemon {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { env: { ...process.env, ...env }, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
  let tail = '';
  const keep = (chunk: Buffer): void => {
    tail = (tail + chunk.toString('utf8')).slice(-MAX_TAIL_CHARS);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(`cannot run ${program}: ${error.message}`));
    child.on('close', (code, signal) => resolve(`${program} ended (${signal ?? `exit code ${code}`}): ${tail.trim()}`));
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const insist = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    await ended;
    clearTimeout(insist);
  };
  return { ended, stop };
}
