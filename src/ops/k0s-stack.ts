import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../core/coded-error.ts';
import { type InstallChoices, installObjects } from './install-objects.ts';

/**
 * k0s applies what lies in `manifests/STACK/*.yaml` of its data folder, again whenever it changes, and removes what is gone
 * from there (https://docs.k0sproject.io/stable/manifests/). This runs on the machine of k0s and needs no access to its API.
 */

export const DEFAULT_K0S_DATA_FOLDER = '/var/lib/k0s';
const STACK = 'headcut';

/** Writes the stack; gives its file. */
export async function writeK0sStack(dataFolder: string, choices: InstallChoices): Promise<string> {
  const stacks = stacksOf(dataFolder);
  const folder = join(stacks, STACK);
  const file = join(folder, 'headcut.yaml');
  // A third of the time that the command line takes to start, were it loaded each time.
  const { kubeYaml } = await import('../runtime/kube-yaml.ts');
  const text = installObjects(choices)
    .map((object) => kubeYaml(object))
    .join('---\n');
  inFolder(stacks, () => {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    // Only names that end in .yaml are read, so that k0s never sees half of it.
    writeFileSync(`${file}.new`, text, { mode: 0o644 });
    renameSync(`${file}.new`, file);
  });
  return file;
}

/** Removes the stack; k0s then removes its objects. True when there was one. */
export function removeK0sStack(dataFolder: string): boolean {
  const stacks = stacksOf(dataFolder);
  const folder = join(stacks, STACK);
  const existed = existsSync(folder);
  inFolder(stacks, () => rmSync(folder, { recursive: true, force: true }));
  return existed;
}

function stacksOf(dataFolder: string): string {
  const stacks = join(dataFolder, 'manifests');
  if (existsSync(stacks)) return stacks;
  throw new CodedError(
    'FailedPrecondition',
    `there is no ${stacks}: run this on the machine of a k0s controller, or name its data folder with --data-dir`,
  );
}

function inFolder(folder: string, change: () => void): void {
  try {
    change();
  } catch (error) {
    throw new CodedError('Forbidden', `cannot write in ${folder}; run this as root`, error);
  }
}
