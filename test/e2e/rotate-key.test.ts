import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Pod } from '../../src/core/kube-objects.ts';
import { KEY_GRACE_MS } from '../../src/core/membership/member-keys.ts';
import type { FederationObject, PeerObject } from '../../src/core/membership/peer-object.ts';
import { headcut } from './headcut-command.ts';
import {
  apply,
  evenDeployment,
  eventually,
  fingerprints,
  get,
  kubectl,
  list,
  offloadedNamespace,
  podSpec,
  readyPods,
  restartAgents,
  twins,
} from './lab.ts';
import { peerOf, seesReady } from './members.ts';

const HELLO = { command: ['sh', '-c', 'echo hello; sleep 3600'] };

/** UIDs and restarts of a namespace of `a`, at home and on its providers. */
async function touched(namespace: string): Promise<string[][]> {
  const home = await list<Pod>('a', ['-n', namespace, 'pods']);
  return [home, await twins('b', namespace), await twins('c', namespace)].map(fingerprints);
}

/** Reads the log of a pod again and again. @returns a function that ends it and gives what went wrong */
function keepReading(namespace: string, pod: string): () => Promise<string[]> {
  const problems: string[] = [];
  let reads = 0;
  let isOver = false;
  const reading = (async () => {
    while (!isOver) {
      const text = await kubectl('a', ['-n', namespace, 'logs', pod]).catch((error: Error) => error.message);
      if (text !== 'hello\n') problems.push(text);
      reads += 1;
    }
  })();
  return async () => {
    isOver = true;
    await reading;
    expect(reads).toBeGreaterThan(3);
    return problems;
  };
}

async function expectConnected(): Promise<void> {
  await eventually(async () => {
    await seesReady('a', 'b', 'c');
    await seesReady('b', 'a', 'c');
    await seesReady('c', 'a', 'b');
  }, 60_000);
}

test('a provider replaces its key under pods that run there: none is touched, logs go on, and all stay connected', {
  timeout: 400_000,
}, async () => {
  await using namespace = await offloadedNamespace('a');
  await apply('a', evenDeployment(namespace.name, 'web', 6, podSpec({}, HELLO)));
  const pods = await readyPods('a', namespace.name, 6);
  const onB = pods.find(({ spec }) => spec.nodeName === 'headcut-b')?.metadata.name ?? '';
  await expectConnected();
  const [before, known] = [await touched(namespace.name), await peerOf('a', 'b')];
  const endReading = keepReading(namespace.name, onB);

  const { exitCode, stdout, stderr } = await headcut('b', 'rotate-key', '--wait');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toContain('has a new key');
  // In the order in which they come to know it.
  for (const cluster of ['a', 'c']) expect(stdout).toContain(`${cluster} accepts it`);
  for (const cluster of ['a', 'c'])
    await eventually(async () => {
      const { spec, status } = await get<PeerObject>(cluster, ['peer', 'b']);
      expect([spec.id, status?.state]).toEqual([known.spec.id, 'Connected']);
      expect(spec.certificate).not.toBe(known.spec.certificate);
    });
  // What the old key had opened is ended by then.
  await sleep(KEY_GRACE_MS + 5_000);
  expect(await endReading()).toEqual([]);
  expect(await touched(namespace.name)).toEqual(before);

  await restartAgents('a', 'b', 'c');
  await expectConnected();
  expect(await kubectl('a', ['-n', namespace.name, 'logs', onB])).toBe('hello\n');
  expect(await touched(namespace.name)).toEqual(before);
  await eventually(async () => {
    const { status } = await get<FederationObject>('b', ['federation', 'headcut']);
    expect(status).toMatchObject({ id: known.spec.id, key: { replaced: expect.any(Number), unseenBy: [] } });
  });
});
