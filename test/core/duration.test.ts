import { describe, expect, test } from 'vitest';
import { stopAfterSeconds } from '../../src/core/consumer-lost/consumer-lost-rule.ts';
import { isDuration, MAX_DURATION_MS, parseDuration } from '../../src/core/duration.ts';
import { fencingAfterMs } from '../../src/core/fencing/fencing-rule.ts';
import { cpuMsOf } from '../cpu-time.ts';

describe('a duration', () => {
  test.each([
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['720h', 2_592_000_000],
    [`${'9'.repeat(60)}h`, MAX_DURATION_MS],
  ])('%s is %d ms, and never more than ten years', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(['', '5', '-5s', '1.5h', 'NaN', 'Infinity', '1e3s', `${'1s'.repeat(40)}`])('"%s" is none', (text) => {
    expect(isDuration(text)).toBe(false);
    expect(() => parseDuration(text)).toThrow('is no duration');
  });

  test('costs nothing to refuse, however long the text is', () => {
    expect(cpuMsOf(() => isDuration('1s'.repeat(500_000)))).toBeLessThan(50);
  });
});

describe('what is sent to providers is within what they take, whatever the setting', () => {
  const statefulPod = (after: string) => ({
    metadata: {
      name: 'p',
      annotations: { 'headcut.dev/fencing-after': after },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 's', uid: 'u', controller: true }],
    },
    spec: { containers: [] },
  });

  test.each([
    ['0s', 10_000],
    ['48h', 86_400_000],
    [`${'9'.repeat(60)}h`, 86_400_000],
  ])('a fencing time of %s is %d ms', (after, ms) => {
    expect(fencingAfterMs(statefulPod(after), undefined, undefined)).toBe(ms);
  });

  test.each([
    ['0s', 1],
    ['1ms', 1],
    ['9999h', 2_592_000],
  ])('a consumerLost.stopAfter of %s is %d s', (stopAfter, seconds) => {
    expect(stopAfterSeconds({ stopAfter }, undefined)).toBe(seconds);
  });
});
