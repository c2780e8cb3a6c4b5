import { describe, expect, test } from 'vitest';
import { refusalOfSize } from '../../../src/core/exchange/pod-submission.ts';
import type { ConfigObject } from '../../../src/core/kube-objects.ts';
import { submissionParts } from '../../../src/core/offloading/submission-parts.ts';
import { tokenSecretName } from '../../../src/core/reflection/reflected-object.ts';

const MIB = 1024 * 1024;
const MAX = 8 * MIB;
const object = (name: string, bytes: number): ConfigObject => ({
  kind: 'ConfigMap',
  metadata: { name },
  data: { blob: 'x'.repeat(bytes) },
});
const submissionOf = (objects: ConfigObject[]) => ({
  pod: { metadata: { name: 'web', namespace: 'shop', uid: 'u1' }, spec: { containers: [{ name: 'c' }] } },
  virtualNode: 'headcut-b',
  objects,
  services: [],
});
const sizeOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const namesOf = (objects: { name?: string; metadata?: { name: string } }[]) =>
  objects.map(({ name, metadata }) => name ?? metadata?.name).sort();

describe('a pod with all that it names', () => {
  test('goes as it is when it fits', () => {
    for (const objects of [[], [object('a', 10)], [object('a', MIB), object('b', 3 * MIB)]]) {
      const submission = submissionOf(objects);
      expect(submissionParts(submission, MAX)).toEqual({ ahead: [], last: submission });
    }
  });

  test('goes in parts when it does not, each of which fits, with every object once', () => {
    const objects = Array.from({ length: 40 }, (_, index) => object(`o${index}`, ((index % 9) + 1) * 100_000));
    const { ahead, last } = submissionParts(submissionOf(objects), MAX) ?? expect.fail('it can be sent');
    expect(ahead.length).toBeGreaterThan(1);
    for (const part of [...ahead, last]) expect(sizeOf(part)).toBeLessThanOrEqual(MAX);
    const sent = ahead.flatMap((part) => part.objects);
    expect(namesOf([...sent, ...last.objects])).toEqual(namesOf(objects));
    expect(namesOf(last.ahead ?? [])).toEqual(namesOf(sent));
    expect(last.services).toEqual([]);
    for (const part of ahead) expect(part).not.toHaveProperty('services');
  });

  test('keeps its tokens with it, which nothing else may name', () => {
    const tokens: ConfigObject = { ...object(tokenSecretName('u1'), 4_000), kind: 'Secret' };
    const large = Array.from({ length: 9 }, (_, index) => object(`o${index}`, MIB));
    const { last } = submissionParts(submissionOf([...large, tokens]), MAX) ?? expect.fail('it can be sent');
    expect(last.objects).toContain(tokens);
  });

  test('is refused with its size when one object alone is too large for a message', () => {
    const submission = submissionOf([object('huge', 9 * MIB)]);
    expect(submissionParts(submission, MAX)).toBeUndefined();
    const { kind, reason, message } = refusalOfSize(submission, MAX);
    expect([kind, reason]).toEqual(['policy', 'TooLarge']);
    expect(message).toContain('9.0 MiB');
  });
});
