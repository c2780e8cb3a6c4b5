import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../../src/core/kube-objects.ts';
import { planRebalance } from '../../../src/core/rebalance/plan-rebalance.ts';
import { node, replica } from './replica-fixture.ts';

const nodes = [node('a'), node('headcut-b'), node('headcut-c')];
const moves = (pods: Pod[], on: Node[] = nodes) =>
  planRebalance({ pods, nodes: on }).map(({ from, to }) => `${from} to ${to}`);

describe('evening out', () => {
  test('moves one replica at a time from the fullest node to the emptiest', () => {
    expect(moves([replica('a'), replica('a'), replica('a'), replica('headcut-b')])).toEqual(['a to headcut-c']);
  });

  test('leaves alone what is even, and what differs by one', () => {
    expect(moves([replica('a'), replica('headcut-b'), replica('headcut-c')])).toEqual([]);
    expect(moves([replica('a'), replica('a'), replica('headcut-b'), replica('headcut-c')])).toEqual([]);
  });

  test('waits until all replicas are Ready', () => {
    expect(moves([replica('a'), replica('a'), replica('a', { ready: false })])).toEqual([]);
  });

  test('goes nowhere without room, readiness or toleration', () => {
    const pods = [replica('a'), replica('a'), replica('a')];
    expect(moves(pods, [node('a'), node('headcut-b', { cpu: '500m' }), node('headcut-c', { ready: false })])).toEqual(
      [],
    );
    expect(moves(pods.map(() => replica('a', { tolerates: false })))).toEqual([]);
  });

  test('looks at each controller alone, and at Deployments only', () => {
    const other = { owner: 'other' };
    expect(moves([replica('a'), replica('a'), replica('headcut-b', other), replica('headcut-b', other)])).toEqual([
      'a to headcut-b',
      'headcut-b to a',
    ]);
    expect(moves([1, 2, 3].map(() => replica('a', { kind: 'StatefulSet' })))).toEqual([]);
  });
});
