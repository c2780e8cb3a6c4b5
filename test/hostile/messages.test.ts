import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CodedError } from '../../src/core/coded-error.ts';
import { isPlain } from '../../src/core/plain-text.ts';
import { readMessage } from '../../src/wire/check.ts';
import { MAX_MESSAGE_CHARS } from '../../src/wire/messages.ts';
import { cpuMsOf } from '../cpu-time.ts';
import { MESSAGE_FIELDS } from './contract.ts';
import { hostileValues, placesIn, sampleOf, valueAt, withAt } from './hostile-values.ts';

/** Of one line; the promise is 50 on a machine of its own. */
const BLOCKED_MS = 150;

function reads(line: string): void {
  try {
    readMessage(line, 'enemy');
  } catch (error) {
    expect(error).toBeInstanceOf(CodedError);
    const { message } = error as CodedError;
    expect(message).toContain('enemy');
    expect(message.length).toBeLessThan(1_000);
    expect(isPlain(message)).toBe(true);
  }
}

describe('a line of a session costs no more than its share', () => {
  test.each(MESSAGE_FIELDS)('of type %s, whatever is in its fields', (type, fields) => {
    const sample = { type, ...(sampleOf(fields) as object) };
    const garbage = placesIn(sample).flatMap((place) =>
      hostileValues(valueAt(sample, place), MAX_MESSAGE_CHARS - 10_000).map(({ json }) => withAt(sample, place, json)),
    );
    const chosen = fc.sample(fc.shuffledSubarray(garbage, { maxLength: 40 }), { numRuns: 1, seed: 3 })[0];
    for (const line of [JSON.stringify(sample), ...(chosen ?? [])]) {
      expect(
        cpuMsOf(() => reads(line)),
        line.slice(0, 200),
      ).toBeLessThan(BLOCKED_MS);
    }
  });
});
