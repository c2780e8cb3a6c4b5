import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cutOff, eventually } from './lab.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Answer {
  exitCode: number;
  stdout: string;
  stderr: string;
}

const clusterFlags = (cluster: string): string[] => [
  ...['--kubeconfig', join(process.env.HEADCUT_LAB ?? '', 'kubeconfig')],
  ...['--context', cluster],
];

function runCommand(...args: string[]): Promise<Answer> {
  const argv = [join(ROOT, 'src', 'bin', 'cli.ts'), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ exitCode: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

/** The command as users run it, against a cluster of the lab. */
const headcut = (cluster: string, ...args: string[]): Promise<Answer> => runCommand(...args, ...clusterFlags(cluster));

describe('headcut on the lab', () => {
  test('doctor finds nothing that fails, looks at all there is to look at, and --peer at a pair', async () => {
    const all = await headcut('a', 'doctor', '-o', 'json');
    const reports = JSON.parse(all.stdout) as { id: string; verdict: string; findings: unknown }[];
    expect(
      reports.filter(({ verdict }) => verdict === 'failed'),
      all.stdout,
    ).toEqual([]);
    expect(all.exitCode).toBe(0);
    const verdictOf = (id: string) => reports.find((one) => one.id === id)?.verdict;
    for (const id of ['ports', 'clocks', 'versions', 'mtu', 'dns', 'kinds']) expect(verdictOf(id), id).toBe('ok');
    expect((await headcut('a', 'doctor', '--peer', 'b')).stdout).toMatch(/Ports both ways[\s\S]*b reaches this member/);
  });

  test('completion knows the peers, the namespaces and the contexts', async () => {
    const complete = async (...words: string[]) =>
      (await runCommand('__complete', '--', ...clusterFlags('a'), ...words)).stdout.trim().split('\n');
    expect(await complete('peer', '')).toContain('b');
    expect(await complete('offload', 'kube-')).toContain('kube-system');
    expect(await complete('status', '--context', '')).toEqual(expect.arrayContaining(['a', 'b']));
  });

  test('a dead peer keeps no command from answering: what is known is shown, with its age', async () => {
    await using _cut = await cutOff('b');
    await eventually(async () => {
      const { exitCode, stdout } = await headcut('a', 'status');
      expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/peer b is unreachable for \d+s/)]);
    });
    for (const line of ['peers', 'peer b', 'pods -A', 'explain peer b', 'what-if b dies'])
      expect(await headcut('a', ...line.split(' ')), line).toMatchObject({ exitCode: 0, stderr: '' });
    const doctor = await headcut('a', 'doctor', '--peer', 'b');
    expect(doctor.exitCode).toBe(1);
    expect(doctor.stdout).toMatch(/b is unreachable, last heard of \d+s ago/);
    expect(doctor.stdout).toMatch(/b is not reached from here/);
  }, 120_000);
});
