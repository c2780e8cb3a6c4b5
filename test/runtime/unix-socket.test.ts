import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { serveUnixSocket, untilNobodyServes } from '../../src/runtime/unix-socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'headcut-lines-'));
afterAll(() => rmSync(folder, { recursive: true }));

const never = new AbortController().signal;
const WHILE_MS = 300;

const serve = (path: string) => serveUnixSocket(path, { serve: () => {}, mode: 0o600, logger: silentLogger });

/** Whether it is over, after a while. */
async function isOver(wait: Promise<void>): Promise<boolean> {
  const later = new Promise<false>((resolve) => setTimeout(resolve, WHILE_MS, false));
  return Promise.race([wait.then(() => true), later]);
}

test('who is to take over waits until the former one has ended', async () => {
  const path = join(folder, 'one.sock');
  await untilNobodyServes(path, systemClock, never);
  const former = await serve(path);
  const wait = untilNobodyServes(path, systemClock, never);
  expect(await isOver(wait)).toBe(false);
  former.close();
  await wait;
  const next = await serve(path);
  next.close();
});

test('nobody serves at what a killed one left behind', async () => {
  const path = join(folder, 'two.sock');
  writeFileSync(path, '');
  await untilNobodyServes(path, systemClock, never);
});

test('who waits ends when it is told to', async () => {
  const path = join(folder, 'three.sock');
  const former = await serve(path);
  const stop = new AbortController();
  const wait = untilNobodyServes(path, systemClock, stop.signal);
  expect(await isOver(wait)).toBe(false);
  stop.abort();
  await wait;
  former.close();
});
