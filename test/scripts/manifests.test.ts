import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import packageJson from '../../package.json' with { type: 'json' };
import { generateManifests, readManifests } from '../../scripts/manifests.ts';

const folder = join(import.meta.dirname, '..', '..', 'manifests');
const sources = readManifests(folder);
const optional = readManifests(join(folder, 'optional'));

describe('what is generated from manifests/', () => {
  test('is current; if not, run npm run manifests', () => {
    const expected = generateManifests(sources, optional);
    const present = Object.fromEntries(
      Object.keys(expected)
        .filter((path) => existsSync(join(folder, path)))
        .map((path) => [path, readFileSync(join(folder, path), 'utf8')]),
    );
    expect(present).toEqual(expected);
    const files = ['generated', 'chart/templates', 'chart/crds'].flatMap((generated) =>
      readdirSync(join(folder, generated)).map((file) => `${generated}/${file}`),
    );
    expect(files.filter((file) => expected[file] === undefined)).toEqual([]);
  });

  test('does not lose a value of the chart when a manifest changes', () => {
    const agent = sources['50-agent.yaml'] ?? '';
    expect(() => generateManifests({ '50-agent.yaml': agent.replaceAll('imagePullPolicy', 'x') }, optional)).toThrow(
      'adapt scripts/manifests.ts',
    );
    expect(() => generateManifests({ '00-x.yaml': 'a: "{{ b }}"' }, optional)).toThrow('would take for a template');
  });
});

test('no text of the manifests is cut at a comma, which leaves a field without a value', () => {
  const cut = (value: unknown, path: string): string[] => {
    if (value === null) return [path];
    if (typeof value !== 'object') return [];
    return Object.entries(value).flatMap(([name, member]) => cut(member, `${path}.${name}`));
  };
  const files = Object.entries({ ...sources, ...optional });
  const objects = files.flatMap(([file, text]) => parseAllDocuments(text).map((one) => cut(one.toJS(), file)));
  expect(objects.flat()).toEqual([]);
});

test('the manifests name the image of this version', () => {
  const images = [
    ...Object.values(sources)
      .join('\n')
      .matchAll(/image: (\S+)/g),
  ].map(([, image]) => image);
  expect(new Set(images)).toEqual(new Set([`headcut.dev/headcut:${packageJson.version}`]));
});

test('a label and an Offloading object do the same to pods', () => {
  const objects = parseAllDocuments(sources['30-admission.yaml'] ?? '').map((document) => document.toJS() as Policy);
  const specOf = (name: string) =>
    objects.find(({ kind, metadata }) => kind.endsWith('Policy') && metadata.name === name)?.spec;
  const { paramKind, matchConditions, ...rest } = specOf('headcut-offload-pods-by-object') ?? {};
  expect(paramKind).toBeDefined();
  const withoutParams = matchConditions?.filter(({ expression }) => !expression.includes('params'));
  expect({ ...rest, matchConditions: withoutParams }).toEqual(specOf('headcut-offload-pods'));
});

interface Policy {
  kind: string;
  metadata: { name: string };
  spec: { paramKind?: object; matchConditions?: { expression: string }[] };
}

test('no policy that refuses has parameters of our kinds for objects of others: API servers learn of these late, and refuse until then', () => {
  interface Policy {
    kind: string;
    metadata: { name: string };
    spec: {
      failurePolicy?: string;
      paramKind?: { apiVersion: string };
      matchConstraints?: { objectSelector?: object };
    };
  }
  const policies = Object.values(sources)
    .flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Policy | null))
    .filter((object) => object?.kind.endsWith('AdmissionPolicy') === true) as Policy[];
  const refusing = policies.filter(
    ({ spec }) => spec.failurePolicy !== 'Ignore' && spec.paramKind?.apiVersion.startsWith('headcut.dev/') === true,
  );
  expect(policies.length).toBeGreaterThan(10);
  expect(refusing.filter(({ spec }) => spec.matchConstraints?.objectSelector === undefined)).toEqual([]);
});
