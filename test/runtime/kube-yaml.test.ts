import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { kubeYaml } from '../../src/runtime/kube-yaml.ts';

test('what a parser of YAML 1.1 takes for something else than text stays text', () => {
  const value = { n: 'n', names: ['y', 'on', 'No', 'a'], 'a.b': 'yes' };
  expect(parse(kubeYaml(value), { version: '1.1' })).toEqual(value);
});
