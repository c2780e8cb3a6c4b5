import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { installObjects } from '../../src/ops/install-objects.ts';

const folder = join(import.meta.dirname, '..', '..', 'manifests');
const chart = join(folder, 'chart');

const tool = (name: string, ...args: string[]): string =>
  execFileSync(join(process.env.HEADCUT_TOOLS ?? '', name), args, { encoding: 'utf8' });

/** Objects by kind, namespace and name. */
function byName(objects: KubeObject[]): Record<string, KubeObject> {
  const entries = objects.map((object) => {
    const { kind, metadata } = object as KubeObject & { kind: string };
    return [`${kind} ${metadata.namespace ?? ''}/${metadata.name}`, object];
  });
  return Object.fromEntries(entries);
}

const objectsOf = (text: string): Record<string, KubeObject> =>
  byName(
    parseAllDocuments(text)
      .map((document) => document.toJS() as KubeObject | null)
      .filter((object) => object !== null),
  );

const template = (...args: string[]): Record<string, KubeObject> =>
  objectsOf(tool('helm', 'template', 'headcut', chart, '--kube-version', '1.36.0', ...args));

interface Deployment extends KubeObject {
  spec: { template: { spec: { imagePullSecrets?: object[]; containers: Container[] } } };
}
interface Container {
  name: string;
  image: string;
  imagePullPolicy: string;
  env?: { name: string; value?: string }[];
  resources: object;
}

test('one file, the kustomize base, the chart and headcut install bring the same objects', () => {
  const one = objectsOf(readFileSync(join(folder, 'generated', 'install.yaml'), 'utf8'));
  expect(Object.keys(one).length).toBeGreaterThan(20);
  expect(objectsOf(tool('kubectl', 'kustomize', folder))).toEqual(one);
  expect(template()).toEqual(one);
  expect(byName(installObjects({}))).toEqual(one);
});

test('the chart passes the linter of Helm', () => {
  expect(tool('helm', 'lint', '--strict', '--kube-version', '1.36.0', chart)).toContain('0 chart(s) failed');
});

test('every value of the chart does what its comment says', () => {
  const objects = template(
    ...['--set', 'image.repository=registry.example/headcut,image.tag=9.9.9,image.pullPolicy=Always'],
    ...['--set', 'imagePullSecrets={one,two},logLevel=debug,csrApprover=true,rebalance=true'],
    ...['--set-json', 'resources={"limits":{"memory":"1Gi"}}'],
  );
  const { spec } = (objects['Deployment headcut-system/headcut'] as Deployment).spec.template;
  expect(spec.imagePullSecrets).toEqual([{ name: 'one' }, { name: 'two' }]);
  for (const { image, imagePullPolicy } of spec.containers)
    expect(`${image} ${imagePullPolicy}`).toBe('registry.example/headcut:9.9.9 Always');
  const named = template('--set', 'image.repository=registry.example/headcut');
  const ofRegistry = (named['Deployment headcut-system/headcut'] as Deployment).spec.template.spec.containers;
  expect(ofRegistry.map(({ imagePullPolicy }) => imagePullPolicy)).toEqual(['IfNotPresent', 'IfNotPresent']);
  const agent = spec.containers[0];
  expect(agent?.name).toBe('headcut');
  expect(agent?.env).toContainEqual({ name: 'LOG_LEVEL', value: 'debug' });
  expect(agent?.resources).toEqual({ limits: { memory: '1Gi' } });
  for (const role of ['headcut-csr-approver', 'headcut-rebalance']) {
    expect(Object.keys(objects)).toContain(`ClusterRole /${role}`);
    expect(Object.keys(template())).not.toContain(`ClusterRole /${role}`);
  }
});

test('a value that the chart does not know is refused', () => {
  expect(() => template('--set', 'logLevel=loud')).toThrow(/logLevel/);
  expect(() => template('--set', 'unheardOf=1')).toThrow(/unheardOf/);
});

test('every value of the chart has its description in values.yaml', () => {
  const text = readFileSync(join(chart, 'values.yaml'), 'utf8');
  const values = parse(text) as Record<string, unknown>;
  const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as { properties: object };
  expect(Object.keys(values).sort()).toEqual(
    Object.keys(schema.properties)
      .filter((name) => name !== 'global')
      .sort(),
  );
  for (const name of Object.keys(values)) expect(text).toMatch(new RegExp(`^# .*\\n${name}:`, 'm'));
});
