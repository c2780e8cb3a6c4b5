import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Container, Pod } from '../../../src/core/kube-objects.ts';
import { fits } from '../../../src/core/offer/compute-offer.ts';
import {
  formatQuantity,
  MAX_MILLI,
  parseQuantity,
  QUANTITY_PATTERN,
  quantityFrom,
  readableQuantity,
} from '../../../src/core/quantities/quantity.ts';
import { problemOfPodResources, problemOfResources } from '../../../src/core/quantities/resource-limits.ts';
import {
  type Amounts,
  add,
  amountOf,
  amountsFrom,
  larger,
  podRequests,
  subtract,
  toResourceList,
} from '../../../src/core/quantities/resources.ts';
import { refusalByPolicy } from '../../../src/core/shadow-pod/policy.ts';
import { cpuMsOf } from '../../cpu-time.ts';

function messageOfThrown(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

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

  test.each([
    ['1e30000000', MAX_MILLI],
    ['-1e30000000', -MAX_MILLI],
    ['9e18', 9n * 10n ** 21n],
    ['9999E', MAX_MILLI],
    ['9Ei', MAX_MILLI],
    ['1e-30000000', 1n],
    ['0e30000000', 0n],
    ['9'.repeat(64), MAX_MILLI],
    [`0.${'0'.repeat(61)}1`, 1n],
  ])('%s, which is beyond what Kubernetes holds, is the nearest that it does', (text, milli) => {
    expect(parseQuantity(text)).toBe(milli);
  });

  test('a number of JSON is read as the quantity that it is', () => {
    expect([1, 0.5, 1e21].map(parseQuantity)).toEqual([1000n, 500n, MAX_MILLI]);
    expect(() => parseQuantity(Number.NaN)).toThrow('"NaN" is not a Kubernetes quantity');
  });

  test('a text that is too long is none, and its error names its beginning only', () => {
    const error = messageOfThrown(() => parseQuantity('1'.repeat(8_000_000)));
    expect(error).toContain('more than 64 characters');
    expect(error.length).toBeLessThan(200);
  });

  test('no text costs more than its length, whatever it says', () => {
    const nines = fc.integer({ min: 0, max: 12 }).map((count) => '9'.repeat(count));
    const text = fc.oneof(
      fc
        .tuple(fc.constantFrom('', '-', '+'), nines, fc.constantFrom('e', 'E', 'e-', '.', 'Ei'), nines)
        .map((all) => all.join('')),
      fc.string({ maxLength: 100_000 }),
    );
    const texts = fc.sample(text, { numRuns: 1_000, seed: 1 });
    expect(cpuMsOf(() => texts.map(quantityFrom))).toBeLessThan(1_000);
  });

  test('what the schema of the wire lets pass is a quantity that is not negative, and the other way round', () => {
    const schema = new RegExp(QUANTITY_PATTERN);
    const piece = fc.constantFrom('1', '0', '.', '-', '+', 'e', 'E', 'Ki', 'i', 'm', 'k', ' ', '17');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join('');
        const milli = text.includes(' ') ? undefined : quantityFrom(text);
        const isAmount = milli !== undefined && !text.startsWith('-');
        expect(schema.test(text)).toBe(isAmount);
      }),
    );
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

  test('cost work of the size of the pod, however many containers and resources it names', () => {
    const containers = Array.from({ length: 5_000 }, (_, i) => container(`c${i}`, '1e30000000'));
    const own = containers.map((one, i) => ({ ...one, resources: { requests: { cpu: '1', [`x.org/r${i}`]: '1' } } }));
    const pod = { metadata: { name: 'p' }, spec: { containers: own, initContainers: own } };
    expect(cpuMsOf(() => podRequests(pod))).toBeLessThan(1_000);
    expect(podRequests({ ...pod, spec: { containers } }).cpu).toBe(5_000n * MAX_MILLI);
  });

  test('are what the plain reading of the rule gives, for any containers', () => {
    const amount = fc.integer({ min: 0, max: 9 }).map(String);
    const list = fc.dictionary(fc.constantFrom('cpu', 'memory', 'x.org/a', 'constructor'), amount);
    const one = fc.record({ requests: list, limits: list, sidecar: fc.boolean() }).map(
      ({ requests, limits, sidecar }): Container => ({
        name: 'c',
        resources: { requests, limits },
        ...(sidecar ? { restartPolicy: 'Always' } : {}),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(one, { maxLength: 5 }),
        fc.array(one, { minLength: 1, maxLength: 5 }),
        (initContainers, containers) => {
          const pod = { metadata: { name: 'p' }, spec: { initContainers, containers } };
          expect(podRequests(pod)).toEqual({ ...plainRequests(pod), pods: 1000n });
        },
      ),
    );
  });
});

/** The larger of what runs at the end, and of each moment before. */
function plainRequests(pod: Pod): Amounts {
  const own = ({ resources }: Container): Amounts => ({
    ...amountsFrom(resources?.limits),
    ...amountsFrom(resources?.requests),
  });
  const moments: Amounts[] = [];
  let sidecars: Amounts[] = [];
  for (const container of pod.spec.initContainers ?? []) {
    moments.push(add(...sidecars, own(container)));
    if (container.restartPolicy === 'Always') sidecars = [...sidecars, own(container)];
  }
  moments.push(add(...sidecars, ...pod.spec.containers.map(own)));
  const names = new Set(moments.flatMap((moment) => Object.keys(moment)));
  const largest = (name: string): bigint => moments.reduce((most, moment) => larger(most, amountOf(moment, name)), 0n);
  return Object.fromEntries([...names].map((name) => [name, largest(name)]));
}

describe('amounts of others', () => {
  test('one spoiled or negative text is nothing of that resource, and the others count', () => {
    expect(amountsFrom({ cpu: '2', memory: 'much', pods: '-5', 'x.org/a': '1e999999999' })).toEqual({
      cpu: 2_000n,
      memory: 0n,
      pods: 0n,
      'x.org/a': MAX_MILLI,
    });
  });

  test('names of what every object has are resources as all others', () => {
    const free = subtract(amountsFrom({ cpu: '1' }), amountsFrom({ constructor: '1' }));
    expect(free).toEqual({ cpu: 1_000n, constructor: -1_000n });
    expect(fits(amountsFrom({ toString: '1' }), free)).toMatchObject({ ok: false, reason: 'OutOftoString' });
  });

  test('less than nothing never fits', () => {
    expect(fits({ cpu: -1n }, { cpu: 5_000n })).toMatchObject({ ok: false, reason: 'OutOfcpu' });
  });

  test('a text that is no quantity is shown as unknown', () => {
    expect(readableQuantity('memory', '1e1e1')).toBe('?');
    expect(readableQuantity('memory', '9e999999999')).toBe('8Ei');
  });

  test.each([
    [{ cpu: '-1' }, 'the amount of cpu is negative'],
    [{ cpu: '1e1.5' }, 'the amount of cpu is not a Kubernetes quantity'],
    [{ cpu: { evil: true } as unknown as string }, 'the amount of cpu is not a Kubernetes quantity'],
    [{ ['x'.repeat(400)]: '1' }, 'is not the name of a resource'],
    [{ '\u001b[2J': '1' }, 'is not the name of a resource'],
    [
      Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`x.org/r${i}`, '1'])),
      '33 resources in one list, 32 are allowed',
    ],
  ])('a list such as %j is refused with its reason', (list, problem) => {
    expect(problemOfResources(list)).toContain(problem);
  });

  test.each([
    ['requests', { containers: [{ name: 'c', resources: { requests: { cpu: '-1' } } }] }],
    [
      'limits of an init container',
      { initContainers: [{ name: 'c', resources: { limits: { cpu: '-1' } } }], containers: [] },
    ],
    ['overhead', { containers: [], overhead: { cpu: '-1' } }],
    ['the whole pod', { containers: [], resources: { requests: { 'hugepages-2Mi': '-2Mi' } } }],
    ['too many containers', { containers: Array.from({ length: 201 }, () => ({ name: 'c' })) }],
  ])('a pod is refused by policy, before anything is computed, for its %s', (_what, spec) => {
    const pod: Pod = { metadata: { name: 'p' }, spec };
    expect(problemOfPodResources(pod)).toBeDefined();
    expect(refusalByPolicy(pod)).toMatchObject({ accepted: false, kind: 'policy', reason: 'NotOffloadable' });
  });
});
