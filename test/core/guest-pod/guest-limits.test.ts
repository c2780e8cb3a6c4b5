import { describe, expect, test } from 'vitest';
import { graceSeconds, tamedSpec } from '../../../src/core/guest-pod/guest-container.ts';
import { boundedSpec, withoutGivenLimits } from '../../../src/core/guest-pod/guest-limits.ts';
import { DEFAULT_TERMS, guestTermsOf } from '../../../src/core/guest-pod/guest-terms.ts';
import type { Container, PodSpec } from '../../../src/core/kube-objects.ts';

const limits = { cpu: '1', memory: '256Mi', 'ephemeral-storage': '1Gi' };
const bounded = (spec: Partial<PodSpec>): PodSpec => boundedSpec({ containers: [{ name: 'c' }], ...spec }, limits);
const given = (resources: Container['resources']) =>
  bounded({ containers: [{ name: 'c', ...(resources === undefined ? {} : { resources }) }] }).containers[0]?.resources;

describe('a guest', () => {
  test('that asks for nothing has a limit of each, and room for it is held', () => {
    expect(given(undefined)).toEqual({ limits, requests: { cpu: '0', memory: '256Mi', 'ephemeral-storage': '1Gi' } });
    const init = bounded({ initContainers: [{ name: 'i' }] }).initContainers?.[0];
    expect(init?.resources?.limits).toEqual(limits);
  });

  test('that says what it may use has that', () => {
    const own = { limits: { cpu: '2', memory: '1Gi', 'ephemeral-storage': '5Gi' } };
    expect(given(own)).toEqual(own);
  });

  test('that asks for some without an end may use twice as much, and at least what others are given', () => {
    expect(given({ requests: { cpu: '500m', memory: '1Gi' } })).toEqual({
      limits: { memory: '2097152Ki', 'ephemeral-storage': '1Gi' },
      requests: { cpu: '500m', memory: '1Gi', 'ephemeral-storage': '1Gi' },
    });
    expect(given({ requests: { memory: '16Mi' } })?.limits?.memory).toBe('262144Ki');
  });

  test('with limits for the pod as a whole has no others', () => {
    const { containers, resources } = bounded({ resources: { limits: { memory: '1Gi', cpu: '1' } } });
    expect(containers[0]?.resources?.limits).toEqual({ 'ephemeral-storage': '1Gi' });
    expect(resources).toEqual({ limits: { memory: '1Gi', cpu: '1' } });
    expect(bounded({ resources: { requests: { memory: '1Gi' } } }).resources?.limits).toEqual({ memory: '2097152Ki' });
  });

  test('has volumes of its own that hold no more than its containers may use', () => {
    const volumes = [
      { name: 'disk', emptyDir: {} },
      { name: 'memory', emptyDir: { medium: 'Memory' } },
      { name: 'small', emptyDir: { medium: 'Memory', sizeLimit: '5Mi' } },
      { name: 'pages', emptyDir: { medium: 'HugePages' } },
      { name: 'other', configMap: { name: 'x' } },
    ];
    const made = bounded({ volumes, containers: [{ name: 'a' }, { name: 'b' }] }).volumes;
    expect(made?.map(({ emptyDir }) => (emptyDir as { sizeLimit?: string } | undefined)?.sizeLimit)).toEqual([
      '2097152Ki',
      '524288Ki',
      '5Mi',
      undefined,
      undefined,
    ]);
  });

  test('shows at home what it asked for itself', () => {
    const resources = { limits: { ...limits, cpu: '2' }, requests: { cpu: '1', memory: '256Mi' } };
    const status = {
      containerStatuses: [
        { name: 'c', ready: true, restartCount: 0, resources, allocatedResources: { cpu: '1', memory: '256Mi' } },
      ],
    };
    const own = { limits: { cpu: '2' }, requests: { cpu: '1' } };
    expect(withoutGivenLimits(status, { containers: [{ name: 'c', resources: own }] }).containerStatuses?.[0]).toEqual({
      name: 'c',
      ready: true,
      restartCount: 0,
      resources: own,
      allocatedResources: { cpu: '1' },
    });
    const nothing = withoutGivenLimits(status, { containers: [{ name: 'c' }] }).containerStatuses?.[0];
    expect(nothing).toEqual({ name: 'c', ready: true, restartCount: 0, resources: {} });
  });
});

describe('the terms for guests', () => {
  const all = new Set(['cpu', 'memory', 'pods', 'ephemeral-storage']);

  test('have defaults, which the Federation changes one by one', () => {
    expect(guestTermsOf({}, all)).toEqual(DEFAULT_TERMS);
    const guests = { netRaw: true, maxGracePeriodSeconds: 600, containerLimits: { cpu: 0, memory: '1Gi' } };
    expect(guestTermsOf({ podSecurityLevel: 'restricted', guests }, all)).toEqual({
      ...DEFAULT_TERMS,
      podSecurityLevel: 'restricted',
      netRaw: true,
      maxGraceSeconds: 600,
      containerLimits: { memory: '1Gi', 'ephemeral-storage': '1Gi' },
    });
  });

  test('give nothing that the nodes do not have', () => {
    expect(guestTermsOf({}, new Set(['cpu', 'memory'])).containerLimits).toEqual({ cpu: '1', memory: '256Mi' });
  });
});

describe('what a guest asks for and does not get', () => {
  const tamed = (spec: Partial<PodSpec>, terms: Partial<typeof DEFAULT_TERMS> = {}): PodSpec =>
    tamedSpec({ containers: [{ name: 'c' }], ...spec }, { ...DEFAULT_TERMS, ...terms });
  const capabilities = (securityContext: object, terms = {}): unknown => {
    const [container] = tamed({ containers: [{ name: 'c', securityContext }] }, terms).containers;
    return (container?.securityContext as { capabilities?: object } | undefined)?.capabilities;
  };

  test.each([
    [315_360_000, 120],
    [120, 120],
    [60, 60],
    [0, 0],
    [undefined, 30],
  ])('is more than two minutes to end: %s → %s', (asked, got) => {
    const spec = asked === undefined ? {} : { terminationGracePeriodSeconds: asked };
    expect(tamed(spec).terminationGracePeriodSeconds).toBe(got);
  });

  test.each([
    [undefined, 30, undefined],
    [undefined, undefined, undefined],
    [undefined, 315_360_000, 120],
    [9_999_999_999, 30, 120],
    [0, 315_360_000, 0],
    [60, 30, 60],
  ])('is more than that where it is deleted: asked %s, own %s → %s', (asked, own, said) => {
    expect(graceSeconds(asked, own, DEFAULT_TERMS)).toBe(said);
  });

  test('is more time after a failed probe', () => {
    const livenessProbe = { terminationGracePeriodSeconds: 1e9, exec: {} };
    const [container] = tamed({ containers: [{ name: 'c', livenessProbe }] }).containers;
    expect(container?.livenessProbe).toEqual({ terminationGracePeriodSeconds: 120, exec: {} });
  });

  test('is NET_RAW, unless it may ask for it', () => {
    expect(capabilities({})).toEqual({ drop: ['NET_RAW'] });
    expect(capabilities({ capabilities: { add: ['CHOWN'], drop: ['KILL'] } })).toEqual({
      add: ['CHOWN'],
      drop: ['KILL', 'NET_RAW'],
    });
    expect(capabilities({ capabilities: { drop: ['ALL'] } })).toEqual({ drop: ['ALL'] });
    expect(capabilities({ capabilities: { add: ['NET_RAW'] } })).toEqual({ add: ['NET_RAW'] });
    expect(capabilities({}, { netRaw: true })).toBeUndefined();
  });

  test('is an image without asking the registry, where its owner wants that', () => {
    const spec = {
      containers: [{ name: 'c', imagePullPolicy: 'Never' }],
      volumes: [{ name: 'v', image: { reference: 'x', pullPolicy: 'Never' } }],
    };
    const strict = tamed(spec, { imagePulls: 'Always' });
    expect(strict.containers[0]?.imagePullPolicy).toBe('Always');
    expect(strict.volumes?.[0]?.image).toEqual({ reference: 'x', pullPolicy: 'Always' });
    expect(tamed(spec).containers[0]?.imagePullPolicy).toBe('Never');
  });
});
