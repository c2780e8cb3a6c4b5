import { describe, expect, test } from 'vitest';
import { submitPod } from '../../../src/agent/offloading/submit-pod.ts';
import type { PeerLink } from '../../../src/agent/ports.ts';
import type { PodSubmission } from '../../../src/core/exchange/pod-submission.ts';
import { PARTS_PROTOCOL } from '../../../src/wire/endpoints.ts';

const submission: PodSubmission = {
  pod: { metadata: { name: 'web', namespace: 'shop', uid: 'u1' }, spec: { containers: [{ name: 'c' }] } },
  virtualNode: 'headcut-b',
  objects: Array.from({ length: 9 }, (_, index) => ({
    kind: 'ConfigMap' as const,
    metadata: { name: `o${index}` },
    data: { blob: 'x'.repeat(1_000_000) },
  })),
};

/** A peer that answers so to each call, by name. */
function peer(protocol: number, answers: Record<string, unknown> = {}) {
  const calls: { name: string; body: PodSubmission }[] = [];
  const link = {
    name: 'b',
    speaks: (wanted: number) => protocol >= wanted,
    call: (name: string, { body }: { body: PodSubmission }) => {
      calls.push({ name, body });
      return Promise.resolve(answers[name] ?? { accepted: true });
    },
  } as unknown as PeerLink;
  return { link, calls };
}

describe('a pod with nine megabytes of ConfigMaps', () => {
  test('is sent after what does not fit beside it', async () => {
    const { link, calls } = peer(PARTS_PROTOCOL);
    expect(await submitPod(link, 'u1', submission)).toEqual({ accepted: true });
    expect(calls.map(({ name }) => name)).toEqual(['sendAhead', 'submitPod']);
    expect(calls[1]?.body.ahead).toEqual([{ kind: 'ConfigMap', name: 'o8' }]);
  });

  test('is refused by what its provider says to the first part', async () => {
    const refusal = { accepted: false, kind: 'later', reason: 'TooMuch', message: 'full' };
    const { link, calls } = peer(PARTS_PROTOCOL, { sendAhead: refusal });
    expect(await submitPod(link, 'u1', submission)).toEqual(refusal);
    expect(calls).toHaveLength(1);
  });

  test('is not sent to a member that takes it in one message only, and says that it is too large', async () => {
    const { link, calls } = peer(PARTS_PROTOCOL - 1);
    expect(await submitPod(link, 'u1', submission)).toMatchObject({ accepted: false, reason: 'TooLarge' });
    expect(calls).toEqual([]);
  });
});
