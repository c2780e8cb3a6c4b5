import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { labFolder } from './reach-lab.ts';

const ROOT = join(import.meta.dirname, '../..');
const LONGEST_MS = 120_000;

export interface Answer {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export function runCommand(...args: string[]): Promise<Answer> {
  const argv = [join(ROOT, 'src', 'bin', 'cli.ts'), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { timeout: LONGEST_MS }, (error, stdout, stderr) =>
      resolve({ exitCode: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

export const clusterFlags = (cluster: string): string[] => [
  '--kubeconfig',
  join(labFolder, 'kubeconfig'),
  '--context',
  cluster,
];

/** The command as users run it, against a cluster of the lab. */
export const headcut = (cluster: string, ...args: string[]): Promise<Answer> =>
  runCommand(...args, ...clusterFlags(cluster));
