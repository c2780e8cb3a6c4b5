import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createPodGuard } from '../../../src/agent/fencing/guard-line.ts';
import { formatLeases, type KeptLeases, parseLeases } from '../../../src/agent/fencing/lease-memory.ts';
import { serveGuard } from '../../../src/agent/fencing/serve-guard.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { LineRequests, serveLines } from '../../../src/runtime/line-requests.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { serveUnixSocket } from '../../../src/runtime/unix-socket.ts';

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
    await expect(createPodGuard(path, systemClock).tell(leases)).rejects.toThrow(
      'the guard of fenced pods failed: no space left',
    );
  } finally {
    server.close();
  }
});

test('an agent of the version before is understood', async () => {
  const path = join(folder, 'former-agent.sock');
  const taken: KeptLeases[] = [];
  const server = await serveGuard(path, async (told) => void taken.push(told), silentLogger);
  const agent = new LineRequests({ path, answerWithinMs: 2_000, unavailable: 'nobody', clock: systemClock });
  try {
    expect(await agent.ask(formatLeases(leases))).toBe('taken');
    expect(await agent.ask('{"askedAt":null}')).toBe('not taken');
    expect(await agent.ask(formatLeases({ ...leases, pods: [] }))).toBe('taken');
    expect(taken).toEqual([leases, { ...leases, pods: [] }]);
  } finally {
    agent.close();
    server.close();
  }
});

test('a guard of the version before is told all, and so is the one that takes its place', async () => {
  const path = join(folder, 'former-guard.sock');
  const taken: string[] = [];
  const answer = async (line: string): Promise<string> => {
    try {
      taken.push(`former ${parseLeases(line).pods.length}`);
      return 'taken';
    } catch {
      return 'not taken';
    }
  };
  const serve = (connection: Socket): void => void serveLines(connection, answer, silentLogger);
  const former = await serveUnixSocket(path, { serve, mode: 0o600, logger: silentLogger });
  const guard = createPodGuard(path, systemClock);
  await guard.tell(leases);
  expect(taken.at(-1)).toBe('former 1');
  await guard.tell({ ...leases, pods: [] });
  expect(taken.at(-1)).toBe('former 0');
  const before = taken.length;
  await guard.tell({ ...leases, pods: [] });
  // Once it is known, nothing else is tried.
  expect(taken.slice(before)).toEqual(['former 0']);
  former.close();
  const next = await serveGuard(path, async (told) => void taken.push(`next ${told.pods.length}`), silentLogger);
  try {
    await guard.tell(leases);
    expect(taken.at(-1)).toBe('next 1');
  } finally {
    next.close();
  }
  await expect(guard.tell(leases)).rejects.toThrow('headcut-fence) does not answer');
});

test('what is neither of the two is told what is wrong, and the guard goes on', async () => {
  const path = join(folder, 'garbage.sock');
  const taken: KeptLeases[] = [];
  const server = await serveGuard(path, async (told) => void taken.push(told), silentLogger);
  try {
    for (const bytes of [
      '\0\0\0',
      'PUT /v1/leases HTTP/1.1\r\ncontent-length: 9999999\r\n\r\n',
      '{'.repeat(2_000_000),
    ]) {
      await new Promise((closed) => {
        const socket = connect(path, () => socket.end(bytes));
        socket.on('error', () => {}).resume();
        socket.once('close', closed);
      });
    }
    await createPodGuard(path, systemClock).tell(leases);
    expect(taken).toEqual([leases]);
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
