import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createPodGuard, serveGuard } from '../../../src/agent/fencing/guard-line.ts';
import type { KeptLeases } from '../../../src/agent/fencing/lease-memory.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

const folder = mkdtempSync(join(tmpdir(), 'headcut-guard-'));
afterAll(() => rmSync(folder, { recursive: true }));

const leases: KeptLeases = {
  askedAt: new Map([['home', 123]]),
  pods: [{ namespace: 'demo', name: 'db-0', uid: 'u1', consumer: 'home', afterMs: 15_000 }],
};

test('the guard takes what the agent tells; without a guard the agent knows that', async () => {
  const path = join(folder, 'one.sock');
  const guard = createPodGuard(path, systemClock);
  await expect(guard.tell(leases)).rejects.toThrow('headcut-fence) does not answer');
  const taken: KeptLeases[] = [];
  const server = await serveGuard(path, async (told) => void taken.push(told), silentLogger);
  try {
    expect(statSync(path).mode & 0o007).toBe(0);
    await guard.tell(leases);
    await guard.tell({ ...leases, pods: [] });
    expect(taken).toEqual([leases, { ...leases, pods: [] }]);
  } finally {
    server.close();
  }
});

test('what the guard could not take is not taken for known', async () => {
  const path = join(folder, 'two.sock');
  const server = await serveGuard(path, () => Promise.reject(new Error('no space left')), silentLogger);
  try {
    await expect(createPodGuard(path, systemClock).tell(leases)).rejects.toThrow('does not understand');
  } finally {
    server.close();
  }
});

test('a guard whose place another one has taken is not found any more', async () => {
  const path = join(folder, 'three.sock');
  const take = async (): Promise<void> => {};
  const former = await serveGuard(path, take, silentLogger);
  expect(former.isFound()).toBe(true);
  const next = await serveGuard(path, take, silentLogger);
  try {
    expect([former.isFound(), next.isFound()]).toEqual([false, true]);
    await createPodGuard(path, systemClock).tell(leases);
  } finally {
    former.close();
    next.close();
  }
  expect(next.isFound()).toBe(false);
});
