import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runKubectl, startKubectl } from './kubectl-process.ts';
import { apply, offloadedNamespace, pod, podSpec, readyPods } from './lab.ts';

/** Megabytes of each transfer; LARGE_MB=1000 for the size that is promised. */
const BYTES = Number(process.env.LARGE_MB ?? 100) * 1_000_000;
/** At the 5 MB/s of a very busy machine, and a start. */
const WITHIN_MS = BYTES / 5_000 + 60_000;

const node = 'headcut-b';
const folder = mkdtempSync(join(tmpdir(), 'headcut-large-'));
const there = join(folder, 'there');
const back = join(folder, 'back');
let namespace: Awaited<ReturnType<typeof offloadedNamespace>>;
let expected = '';

/** Blocks that differ from one another, so that one that is missing, doubled or moved shows. */
function* blocks(): Generator<Buffer> {
  for (let at = 0; at < BYTES; at += 1_000_000) yield Buffer.alloc(Math.min(1_000_000, BYTES - at), `block at ${at}\n`);
}

async function hashOf(stream: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

beforeAll(async () => {
  expected = await hashOf(Readable.from(blocks()));
  await pipeline(Readable.from(blocks()), createWriteStream(there));
  namespace = await offloadedNamespace('a');
  await apply('a', pod(namespace.name, 'store', podSpec({ nodeSelector: { 'kubernetes.io/hostname': node } })));
  await readyPods('a', namespace.name, 1);
}, 120_000);

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await namespace?.[Symbol.asyncDispose]();
});

const inPod = (args: string[]) => ['-n', namespace.name, ...args];

test(
  'cp: a large file arrives whole in the pod, and comes back the same',
  async () => {
    const copy = async (from: string, to: string): Promise<void> => {
      // A download that loses its end to a ping of kubectl itself (see kubectl.test.ts) goes on where it stopped.
      const { exitCode, stderr } = await runKubectl('a', inPod(['cp', '--retries=10', from, to]), {
        timeoutMs: WITHIN_MS,
      });
      expect(exitCode, stderr).toBe(0);
    };
    await copy(there, 'store:/tmp/copy');
    const sum = await runKubectl('a', inPod(['exec', 'store', '--', 'sha256sum', '/tmp/copy']), { timeoutMs: 120_000 });
    expect(sum.stdout.toString().split(' ')[0]).toBe(expected);
    await copy('store:/tmp/copy', back);
    expect(await hashOf(createReadStream(back))).toBe(expected);
  },
  2 * WITHIN_MS + 120_000,
);

test(
  'exec cat: a large file goes there and back whole at once',
  async () => {
    await using child = startKubectl('a', inPod(['exec', '-i', 'store', '--', 'cat']));
    const received = createHash('sha256');
    let bytes = 0;
    // The input stays open until all came back: so the process does not end before its output was read.
    const all = new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        received.update(chunk);
        bytes += chunk.length;
        if (bytes >= BYTES) resolve();
      });
      child.stdout.on('end', resolve);
    });
    await pipeline(Readable.from(blocks()), child.stdin, { end: false });
    await all;
    child.stdin.end();
    const [exitCode] = await once(child, 'close');
    expect([exitCode, bytes, received.digest('hex')]).toEqual([0, BYTES, expected]);
  },
  2 * WITHIN_MS,
);
