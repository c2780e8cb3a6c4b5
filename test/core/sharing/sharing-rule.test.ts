import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../../src/core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../../../src/core/labels.ts';
import { type Direction, mayShare, type SharingSettings } from '../../../src/core/sharing/sharing-rule.ts';
import { A, B } from './sharing-fixture.ts';

const namespace = (name: string, share?: string, more: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  metadata: { name, ...(share === undefined ? {} : { annotations: { 'headcut.dev/share-services': share } }), ...more },
});
const peer = (id: string, labels: Record<string, string> = {}) => ({ id, labels });
const ways = (one: KubeObject | undefined, who = peer(A), settings?: SharingSettings): Direction[] =>
  (['export', 'import'] as const).filter((way) => mayShare(way, one, who, settings));

describe('what is shared of a namespace', () => {
  test.each([
    ['that is not here', undefined, []],
    ['that says nothing', namespace('shop'), ['export', 'import']],
    ['that says Both', namespace('shop', 'Both'), ['export', 'import']],
    ['that says Export', namespace('shop', 'Export'), ['export']],
    ['that says Import', namespace('shop', 'Import'), ['import']],
    ['that says None', namespace('shop', 'None'), []],
    ['that says what nobody knows', namespace('shop', 'export'), []],
    ['that every cluster has', namespace('kube-system'), []],
    ['that every cluster has, and is opened', namespace('kube-system', 'Import'), ['import']],
    ['that is headcut’s', namespace('headcut-system'), []],
    ['that is another member’s twin', namespace('shop-1', 'Both', { labels: { [ORIGIN_CLUSTER_LABEL]: B } }), []],
    ['that is being deleted', namespace('shop', undefined, { deletionTimestamp: '2026-01-01T00:00:00Z' }), []],
  ])('%s', (_what, one, expected) => {
    expect(ways(one)).toEqual(expected);
  });
});

describe('rules of the Federation', () => {
  const settings: SharingSettings = {
    rules: [
      { peers: [B], namespaces: ['shop'], share: 'Export' },
      { selector: { matchLabels: { site: 'lab' } }, share: 'None' },
      { namespaces: ['shop', 'bank'], share: 'Both' },
      { share: 'Import' },
    ],
  };

  test.each([
    ['the first that is for peer and namespace', 'shop', peer(B), ['export']],
    ['by labels of the Peer object', 'bank', peer(B, { site: 'lab' }), []],
    ['by namespace', 'bank', peer(B), ['export', 'import']],
    ['the one for all', 'other', peer(A), ['import']],
  ])('count: %s', (_what, name, who, expected) => {
    expect(ways(namespace(name), who, settings)).toEqual(expected);
  });

  test('and the namespace have to agree', () => {
    expect(ways(namespace('shop', 'Import'), peer(B), settings)).toEqual([]);
  });

  test('leave all open that none is for', () => {
    expect(ways(namespace('x'), peer(A), { rules: [{ peers: [B], share: 'None' }] })).toEqual(['export', 'import']);
  });
});
