import { describe, expect, test } from 'vitest';
import type { KubeObject, Node } from '../../../src/core/kube-objects.ts';
import {
  namespaceOffloading,
  notOffloadedMessage,
  offloadingMap,
} from '../../../src/core/offloading/namespace-offloading.ts';

const namespace = (labels: Record<string, string> = {}): KubeObject => ({ metadata: { name: 'demo', labels } });
const offloading = (strategy?: string): KubeObject => ({
  metadata: { name: 'offloading', namespace: 'demo' },
  spec: strategy === undefined ? {} : { strategy },
});
const LABEL = { 'headcut.dev/offload': 'true' };

describe('a namespace', () => {
  test.each<[string, KubeObject | undefined, KubeObject | undefined, boolean]>([
    ['with the label', namespace(LABEL), undefined, true],
    ['with another value of the label', namespace({ 'headcut.dev/offload': 'false' }), undefined, false],
    ['with an Offloading', namespace(), offloading(), true],
    ['with an Offloading that spreads', namespace(), offloading('Spread'), true],
    ['with an Offloading that is LocalOnly', namespace(), offloading('LocalOnly'), false],
    ['with both, LocalOnly', namespace(LABEL), offloading('LocalOnly'), false],
    ['with neither', namespace(), undefined, false],
    ['that is the twin of another', namespace({ ...LABEL, 'headcut.dev/origin-cluster': 'x' }), offloading(), false],
    ['that is not there', undefined, undefined, false],
  ])('%s', (_name, found, object, offloaded) => {
    expect(namespaceOffloading(found, object).offloaded).toBe(offloaded);
  });
});

test('whose pod may not leave reads the label, the node, and what to do', () => {
  const found = namespaceOffloading(namespace(), undefined);
  const message = notOffloadedMessage('demo', 'headcut-b', found.offloaded ? '' : found.why);
  for (const word of ['demo', 'headcut-b', 'kubectl label namespace demo headcut.dev/offload=true'])
    expect(message).toContain(word);
});

test('policies are told the virtual nodes and what Offloadings say', () => {
  const nodes: Node[] = [
    { metadata: { name: 'headcut-b', labels: { 'headcut.dev/peer': 'x' } } },
    { metadata: { name: 'headcut-1' } },
  ];
  const other = { metadata: { name: 'offloading', namespace: 'home' }, spec: { strategy: 'LocalOnly' } };
  expect(offloadingMap(nodes, [offloading(), other])).toEqual({
    'namespace.demo': 'offloaded',
    'namespace.home': 'home',
    'node.headcut-b': 'virtual',
  });
});
