import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { killPodProcesses } from '../../../src/agent/fencing/pod-processes.ts';

const UID = '0a1b2c3d-1111-2222-3333-444455556666';
const OTHER = '0a1b2c3d-1111-2222-3333-444455556667';

const procFolder = mkdtempSync(join(tmpdir(), 'headcut-proc-'));
afterAll(() => rmSync(procFolder, { recursive: true }));

function processes(groups: Record<string, string>): void {
  for (const [pid, text] of Object.entries(groups)) {
    mkdirSync(join(procFolder, pid), { recursive: true });
    writeFileSync(join(procFolder, pid, 'cgroup'), text);
  }
}

test('all processes of the pod are killed, whatever driver made its cgroups, and no others', async () => {
  processes({
    1: '0::/init.scope\n',
    10: `12:cpu:/kubepods/besteffort/pod${UID}/abc\n11:memory:/kubepods/besteffort/pod${UID}/abc\n`,
    11: `0::/../../pod${UID}/def\n`,
    12: `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice/cri-containerd-abc.scope\n`,
    20: `0::/kubepods/pod${OTHER}/abc\n`,
    21: `0::/user.slice/notes-about-pod${UID}-and-others/x\n`,
    22: '0::/\n',
  });
  mkdirSync(join(procFolder, 'self'));
  mkdirSync(join(procFolder, '30'));
  const killed: unknown[] = [];
  const kill = (pid: number, signal?: string | number): true => {
    killed.push([pid, signal]);
    return true;
  };
  expect(await killPodProcesses(UID, { procFolder, kill })).toBe(3);
  expect(killed).toEqual([10, 11, 12].map((pid) => [pid, 'SIGKILL']));
});

test('one that has ended meanwhile is none, and one that cannot be killed keeps no other alive', async () => {
  processes({ 10: `0::/pod${UID}/a\n`, 11: `0::/pod${UID}/a\n`, 12: `0::/pod${UID}/a\n` });
  const asked: number[] = [];
  const kill = (pid: number): true => {
    asked.push(pid);
    if (pid === 12) return true;
    throw Object.assign(new Error(`kill ${pid}`), { code: pid === 10 ? 'ESRCH' : 'EPERM' });
  };
  await expect(killPodProcesses(UID, { procFolder, kill })).rejects.toThrow('kill 11');
  expect(asked).toEqual([10, 11, 12]);
});
