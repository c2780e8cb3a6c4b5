import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatQuantity, parseQuantity } from '../../../src/core/quantities/quantity.ts';
import { podRequests, toResourceList } from '../../../src/core/quantities/resources.ts';

describe('quantities', () => {
  test.each([
    ['100m', 100n],
    ['1.5Gi', 1536n * 1024n * 1024n * 1000n],
    ['2e3', 2_000_000n],
    ['0.5', 500n],
    ['1n', 1n],
    ['-3', -3000n],
    ['.5k', 500_000n],
  ])('%s is %s thousandths', (text, milli) => {
    expect(parseQuantity(text)).toBe(milli);
  });

  test.each(['', 'm', '1 Gi', 'abc', '1.2.3'])('refuses "%s" and names it', (text) => {
    expect(() => parseQuantity(text)).toThrow(`"${text}"`);
  });

  test('what is printed reads back as the same amount', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 10n ** 18n }),
        fc.constantFrom('decimal' as const, 'binary' as const),
        (milli, style) => {
          expect(parseQuantity(formatQuantity(milli, style))).toBe(milli);
        },
      ),
    );
  });
});

describe('requests of a pod', () => {
  const container = (name: string, cpu: string) => ({ name, resources: { requests: { cpu } } });

  test('are the larger of running containers with sidecars and the peak of init containers', () => {
    const pod = {
      metadata: { name: 'p' },
      spec: {
        initContainers: [container('big', '2'), { ...container('sidecar', '100m'), restartPolicy: 'Always' }],
        containers: [container('a', '500m'), container('b', '500m')],
        overhead: { cpu: '50m' },
      },
    };
    expect(toResourceList(podRequests(pod))).toEqual({ cpu: '2050m', pods: '1' });
  });

  test('take limits where requests are missing', () => {
    const pod = {
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'a', resources: { limits: { memory: '64Mi' } } }] },
    };
    expect(toResourceList(podRequests(pod))).toEqual({ memory: '65536Ki', pods: '1' });
  });
});
