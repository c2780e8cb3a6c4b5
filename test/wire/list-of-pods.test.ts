import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isListOfPods, readListOfPods } from '../../src/wire/list-of-pods.ts';

const pod = (uid: string, message: string) => ({
  uid,
  namespace: 'demo',
  name: 'web-0',
  deleting: false,
  status: { phase: 'Running' as const, message, conditions: [{ type: 'Ready', status: 'True' }] },
});
const read = (line: string, pause = async (): Promise<void> => {}) => readListOfPods(line, 'b', pause);

describe('a list of pods in one line, as members of before send it', () => {
  it('is the same as if it had been parsed at once', async () => {
    const texts = fc.array(fc.oneof(fc.string(), fc.constantFrom('"', '\\', '\\"', ']}', '[{,', '}],"pods":[')), {
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(texts, async (messages) => {
        const message = { type: 'pods', pods: messages.map((text, at) => pod(`u${at}`, text)) };
        expect(await read(JSON.stringify(message))).toEqual(message);
      }),
    );
  });

  it('lets others go on while it is read', async () => {
    const line = JSON.stringify({
      type: 'pods',
      pods: Array.from({ length: 2_000 }, (_, i) => pod(`u${i}`, 'x'.repeat(4_000))),
    });
    let pauses = 0;
    const message = await read(line, async () => {
      pauses += 1;
    });
    expect(message).toMatchObject({ pods: { length: 2_000 } });
    expect(pauses).toBeGreaterThan(20);
  });

  it.each([
    '{"type":"pods","pods":[{]',
    '{"type":"pods","pods":[7]}',
    '{"type":"pods","pods":[{"uid":1}]}',
    '{"type":"offer"}',
  ])('is refused at once when it is %s', async (line) => {
    await expect(read(line)).rejects.toMatchObject({ code: 'InvalidArgument', message: expect.stringContaining('b') });
  });

  it('is known by how it begins', () => {
    expect(isListOfPods('{"type":"pods","pods":[')).toBe(true);
    expect(isListOfPods('{"type":"offer"')).toBe(false);
  });
});
