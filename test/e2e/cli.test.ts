import { describe, expect, test } from 'vitest';
import { clusterFlags, headcut, runCommand } from './headcut-command.ts';
import { cutOff, eventually } from './lab.ts';

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
