import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CodedError } from '../core/coded-error.ts';
import { runAttached } from '../runtime/command.ts';

/**
 * `headcut lab …`: scripts/lab of the source tree that the command lies in, on our own terminal. Below src/bin/ and below dist/ the tree
 * is near; a command that was installed alone has none.
 * @param command path of the command @returns the exit code
 */
export async function runLabOfTree(command: string, args: readonly string[]): Promise<number> {
  const folder = dirname(realpathSync(command));
  const script = ['..', '../..'].map((up) => join(folder, up, 'scripts', 'lab')).find((path) => existsSync(path));
  if (script !== undefined) return runAttached([script, ...args]);
  throw new CodedError(
    'FailedPrecondition',
    'the lab belongs to the source tree of headcut, which is not beside this command; get it and run ./scripts/lab there',
  );
}
