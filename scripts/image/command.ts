/** Commands of the machine that the image build calls. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a command and returns its standard output; fails with the end of its standard error. */
export async function runCommand(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  try {
    const { stdout } = await execute(file, args, { ...options, maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const lines = (stderr?.trim() || message).split('\n').slice(-10).join('\n');
    throw new Error(`${file} ${args[0] ?? ''} failed: ${lines}`, { cause: error });
  }
}
