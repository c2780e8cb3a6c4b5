import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeExports, portFor } from '../../../src/core/sharing/merge-exports.ts';
import type { SourceExport, ToldExport } from '../../../src/core/sharing/told-export.ts';
import { A, B, C, source, tcp } from './sharing-fixture.ts';

const merged = (...exports: [SourceExport, ...SourceExport[]]) => mergeExports(exports);
const reasons = (...exports: [SourceExport, ...SourceExport[]]) =>
  merged(...exports).conflicts.map((one) => one.reason);

describe('two exports that differ', () => {
  const older = { since: 1_000 };
  const younger = { since: 2_000 };
  /** What the older says, what the younger says, which conflict that is, and what of the import shows who won. */
  const cases: [string, Partial<ToldExport>, Partial<ToldExport>, string[], Record<string, unknown>][] = [
    ['in nothing', {}, {}, [], { type: 'ClusterSetIP', ports: [tcp(80, 'http')] }],
    [
      'in a port that only one has',
      { ports: [tcp(80, 'http')] },
      { ports: [tcp(80, 'http'), tcp(443, 'https')] },
      ['PortConflict'],
      { ports: [tcp(80, 'http'), tcp(443, 'https')] },
    ],
    [
      'in the number of a port of one name',
      { ports: [tcp(80, 'http')] },
      { ports: [tcp(8080, 'http')] },
      ['PortConflict'],
      { ports: [tcp(80, 'http')] },
    ],
    [
      'in the name of a port of one number',
      { ports: [tcp(80, 'http')] },
      { ports: [tcp(80, 'web')] },
      ['PortConflict'],
      { ports: [tcp(80, 'http')] },
    ],
    [
      'in the order of ports alone',
      { ports: [tcp(80, 'http'), tcp(443, 'https')] },
      { ports: [tcp(443, 'https'), tcp(80, 'http')] },
      [],
      { ports: [tcp(80, 'http'), tcp(443, 'https')] },
    ],
    [
      'in ports without a name',
      { ports: [tcp(80)] },
      { ports: [tcp(81)] },
      ['PortConflict'],
      { ports: [tcp(80, 'port-80-tcp'), tcp(81, 'port-81-tcp')] },
    ],
    ['in being headless', {}, { type: 'Headless' }, ['TypeConflict'], { type: 'ClusterSetIP' }],
    ['in being headless, the older', { type: 'Headless' }, {}, ['TypeConflict'], { type: 'Headless' }],
    [
      'in session affinity',
      { affinitySeconds: 10 },
      {},
      ['SessionAffinityConflict'],
      { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } } },
    ],
    [
      'in the time of session affinity',
      { affinitySeconds: 10 },
      { affinitySeconds: 20 },
      ['SessionAffinityConfigConflict'],
      { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } } },
    ],
    [
      'in internal traffic policy',
      { internalTrafficPolicy: 'Local' },
      { internalTrafficPolicy: 'Cluster' },
      ['InternalTrafficPolicyConflict'],
      { internalTrafficPolicy: 'Local' },
    ],
    [
      'in traffic distribution',
      { trafficDistribution: 'PreferClose' },
      {},
      ['TrafficDistributionConflict'],
      { trafficDistribution: 'PreferClose' },
    ],
    ['in IP families', { ipFamilies: ['IPv4'] }, { ipFamilies: ['IPv4', 'IPv6'] }, ['IPFamilyConflict'], {}],
    ['in the order of IP families', { ipFamilies: ['IPv6', 'IPv4'] }, { ipFamilies: ['IPv4', 'IPv6'] }, [], {}],
    ['in labels', { labels: { a: '1' } }, { labels: { a: '2' } }, ['LabelsConflict'], {}],
    ['in annotations', { annotations: { a: '1' } }, {}, ['AnnotationsConflict'], {}],
    [
      'in several things',
      { ports: [tcp(1)], labels: { a: '1' } },
      { ports: [tcp(2)], labels: {} },
      ['PortConflict', 'LabelsConflict'],
      {},
    ],
  ];

  test.each(cases)(
    '%s: the conflict has its standard reason, and the oldest decides',
    (_what, one, other, conflicts, spec) => {
      const exports: [SourceExport, SourceExport] = [
        source(B, { ...younger, ...other }),
        source(A, { ...older, ...one }),
      ];
      expect(reasons(...exports)).toEqual(conflicts);
      expect(merged(...exports).spec).toMatchObject(spec);
      expect(merged(...exports).labels).toEqual(one.labels ?? {});
      expect(merged(...exports).clusters).toEqual([A, B]);
    },
  );

  test('say who differs from whom, and who decides', () => {
    const { conflicts } = merged(
      source(A, older),
      source(B, { ...younger, ports: [tcp(81, 'http')] }),
      source(C, younger),
    );
    expect(conflicts[0]?.message).toBe(
      'the ports of b differ from those of a; all ports are united, and where they contradict each other, those of a count, whose export is the oldest',
    );
  });
});

test('of two exports of the same second all members choose the same', () => {
  expect(merged(source(B), source(A)).clusters).toEqual([A, B]);
});

test('a headless import has nothing that belongs to an address', () => {
  const { spec } = merged(source(A, { type: 'Headless', affinitySeconds: 5, trafficDistribution: 'PreferClose' }));
  expect(spec).toEqual({ type: 'Headless', ports: [tcp(80, 'http')] });
});

test.each([
  ['name', { ...tcp(81), name: 'A B!' }],
  ['name', { ...tcp(81), name: 'x'.repeat(64) }],
  ['name', { ...tcp(81), name: '' }],
  ['application protocol', { ...tcp(81, 'x'), appProtocol: 'a b' }],
  ['application protocol', { ...tcp(81, 'x'), appProtocol: '-.-/a' }],
  ['application protocol', { ...tcp(81, 'x'), appProtocol: 'x'.repeat(64) }],
])('one exporter gives nobody a port whose %s an API server refuses', (_what, port) => {
  const { spec } = merged(source(A, { ports: [port] }), source(B, { since: 2_000 }));
  expect(spec.ports).toEqual([tcp(80, 'http')]);
});

test('an application protocol of a domain is kept', () => {
  const port = { ...tcp(81, 'x'), appProtocol: 'kubernetes.io/h2c' };
  expect(merged(source(A, { ports: [port] })).spec.ports).toEqual([port]);
});

test('a traffic distribution that no API server knows is none', () => {
  expect(merged(source(A, { trafficDistribution: 'Anywhere' })).spec.trafficDistribution).toBeUndefined();
});

test('traffic for a port goes to exporters that have its number, by whatever name', () => {
  expect(portFor([tcp(80, 'web'), tcp(81, 'http')], tcp(80, 'http'))).toEqual(tcp(80, 'web'));
  expect(portFor([tcp(81, 'http')], tcp(80, 'http'))).toBeUndefined();
  expect(portFor([{ ...tcp(80), protocol: 'UDP' }], tcp(80))).toBeUndefined();
});

test('what is united does not depend on the order in which exports came, and has no name or number twice', () => {
  const port = fc.record({
    port: fc.integer({ min: 1, max: 4 }),
    name: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
  });
  const ports = fc.array(port, { maxLength: 4 }).map((all) => all.map((one) => tcp(one.port, one.name)));
  const one = fc.tuple(fc.constantFrom(A, B, C), fc.integer({ min: 0, max: 2 }), ports);
  const some = fc.uniqueArray(one, { minLength: 1, maxLength: 3, selector: ([cluster]) => cluster });
  fc.assert(
    fc.property(some, (all) => {
      const exports = all.map(([cluster, since, ofIt]) => source(cluster, { since, ports: ofIt }));
      const result = mergeExports(exports as [SourceExport, ...SourceExport[]]);
      expect(mergeExports([...exports].reverse() as [SourceExport, ...SourceExport[]])).toEqual(result);
      const names = result.spec.ports.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      expect(new Set(result.spec.ports.map((p) => p.port)).size).toBe(names.length);
      if (names.length > 1) expect(names).not.toContain(undefined);
    }),
  );
});
