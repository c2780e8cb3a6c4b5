import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPlain, MAX_LINE, plainJson, plainLine, plainReason, plainText } from '../../src/core/plain-text.ts';
import { shownProblems } from '../../src/core/service/shown-problems.ts';
import { toPeerError } from '../../src/peering/peer-client.ts';
import { createLineLogger } from '../../src/runtime/line-logger.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { cpuMsOf } from '../cpu-time.ts';

/** Clears the screen, writes the clipboard, turns the direction around, hides, breaks the line. */
const HOSTILE =
  '\u001b[2J\u001b]52;c;ZXZpbA==\u0007\u009b31m\u202egnp.exe\u200b\u2066x\u2028\r\nProblems: none\u007f\ud800';

const any = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.constantFrom(...HOSTILE, '\n', '\t', 'ä', '→', '語', '👍', '\u{e0041}')).map((all) => all.join('')),
);

/** What no text for people may have: checked by numbers, as the rule itself is written in classes. */
const ACTED_ON = [
  [0x00, 0x08],
  [0x0b, 0x1f],
  [0x7f, 0x9f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0xfeff, 0xfeff],
  [0xd800, 0xdfff],
  [0xe0000, 0xe007f],
] as const;

function isActedOn(text: string): boolean {
  return [...text].some((one) => {
    const code = one.codePointAt(0) ?? 0;
    return ACTED_ON.some(([from, to]) => code >= from && code <= to);
  });
}

describe('texts of others', () => {
  test('have nothing left that a terminal acts on, and say what was there', () => {
    fc.assert(fc.property(any, (text) => !isActedOn(plainText(text)) && !isActedOn(plainLine(text))));
    expect(plainText('\u001b[2J\u009b\u202e')).toBe('\\u001b[2J\\u009b\\u202e');
  });

  test('are left as they are where they are plain: lines, tabs, letters of all scripts', () => {
    const text = 'Zoë says “hi” → 語 👍\n\tnext';
    expect(plainText(text)).toBe(text);
    expect(isPlain(text)).toBe(true);
  });

  test('are one line where one is meant, of bounded length', () => {
    fc.assert(fc.property(any, (text) => !/[\n\r\t]/.test(plainLine(text)) && plainLine(text, 20).length <= 20));
    expect(plainLine('a\nb')).toBe('a\\u000ab');
    expect(plainLine('x'.repeat(2_000))).toHaveLength(MAX_LINE);
    expect(plainLine('x'.repeat(MAX_LINE))).toBe('x'.repeat(MAX_LINE));
  });

  test('cost little, however long they are', () => {
    expect(cpuMsOf(() => plainLine('\u001b'.repeat(4_000_000)))).toBeLessThan(50);
  });

  test('mean the same in JSON', () => {
    fc.assert(fc.property(any, (text) => JSON.parse(plainJson(JSON.stringify({ text }))).text === text));
  });

  test('are the reason of a condition or an event only as far as they can be', () => {
    expect(plainReason('Failed\u001b[2J Scheduling')).toBe('Failed2JScheduling');
    expect(plainReason('')).toBe('Unknown');
    expect(plainReason('5xx')).toBe('Unknown');
  });
});

describe('at the door', () => {
  test('an error that a peer answers is one plain line', () => {
    const { code, message } = toPeerError(
      403,
      JSON.stringify({ code: 'Forbidden', message: HOSTILE.repeat(100) }),
      'b',
    );
    expect(code).toBe('Forbidden');
    expect(isActedOn(message) || message.includes('\n')).toBe(false);
    expect(message.length).toBeLessThanOrEqual(MAX_LINE);
    expect(isActedOn(toPeerError(500, HOSTILE, 'b').message)).toBe(false);
  });

  test('problems of Services are too', () => {
    const [problem] = shownProblems([{ service: HOSTILE, reason: HOSTILE, message: HOSTILE }]);
    expect(isActedOn(JSON.stringify(Object.values(problem ?? {})))).toBe(false);
  });
});

describe('in logs', () => {
  test.each([
    ['the agent', (write: (line: string) => void) => createLogger('info', { write })],
    ['its helpers', (write: (line: string) => void) => createLineLogger(write)],
  ])('of %s a text is in one line of bounded length, with its meaning', (_who, make) => {
    const lines: string[] = [];
    const logger = make((line) => lines.push(line));
    logger.warn({ peer: 'b', problem: HOSTILE, err: new Error(HOSTILE + 'x'.repeat(1_000_000)) }, 'refused');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.trimEnd()).not.toContain('\n');
    expect(isActedOn(lines[0]?.trimEnd() ?? '')).toBe(false);
    expect(lines[0]?.length).toBeLessThan(20_000);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'warn', peer: 'b', problem: HOSTILE, msg: 'refused' });
  });
});
