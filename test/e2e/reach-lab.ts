import { execFile } from 'node:child_process';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

/** The state folder of the lab that tests and benches work on: HEADCUT_LAB. */
export const labFolder = process.env.HEADCUT_LAB ?? '';
if (labFolder === '') throw new Error('HEADCUT_LAB is not set: run these tests by ./scripts/test e2e');

export const run = promisify(execFile);

/** Longer than anything that kubectl is asked to wait for. */
const LONGEST_CALL_MS = 5 * 60_000;

/** The program and what it is told to reach a cluster of the lab with `args`. */
export function kubectlCommand(cluster: string, args: readonly string[]): [string, string[]] {
  return [
    join(labFolder, 'bin', 'kubectl'),
    ['--kubeconfig', join(labFolder, 'kubeconfig'), '--context', cluster, ...args],
  ];
}

/** Runs kubectl against a cluster of the lab; throws with what it printed when it fails. */
export async function kubectl(cluster: string, args: readonly string[], input?: string): Promise<string> {
  const child = run(...kubectlCommand(cluster, args), { maxBuffer: 64 * 1024 * 1024, timeout: LONGEST_CALL_MS });
  if (input !== undefined) child.child.stdin?.end(input);
  return (await child).stdout;
}

export function labName(): string {
  return basename(labFolder) === '.lab' ? 'lab' : basename(labFolder).slice('.lab-'.length);
}
