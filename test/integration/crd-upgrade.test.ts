import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import { missingFields, narrowings, type Schema } from './crd-schema.ts';

/** CRDs as older versions had them, a folder a version, with objects that fill every field. */
const OLDER = join(import.meta.dirname, 'older-crds');
const PRESENT = join(import.meta.dirname, '..', '..', 'manifests');

interface Crd extends KubeObject {
  spec: { names: { kind: string; plural: string }; versions: { schema: { openAPIV3Schema: Schema } }[] };
}
type Stored = KubeObject & { kind: string; spec: object; status: object };

const crdFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.startsWith('10-crd-'))
    .map((name) => join(folder, name));
const crdsOf = (folder: string): Crd[] => crdFiles(folder).map((file) => parse(readFileSync(file, 'utf8')) as Crd);
const schemaOf = (crd: Crd | undefined): Schema | undefined => crd?.spec.versions[0]?.schema.openAPIV3Schema;
const objectsOf = (folder: string): Stored[] =>
  parseAllDocuments(readFileSync(join(folder, 'objects.yaml'), 'utf8')).map((one) => one.toJS() as Stored);

const presentSchema = (kind: string): Schema | undefined =>
  schemaOf(crdsOf(PRESENT).find((crd) => crd.spec.names.kind === kind));

describe.each(readdirSync(OLDER))('CRDs after those of %s', (version) => {
  const folder = join(OLDER, version);
  let api: ApiServer;

  const kubectl = (args: readonly string[], input?: string): string =>
    execFileSync(
      join(process.env.HEADCUT_TOOLS ?? '', 'kubectl'),
      ['--server', api.server, '--token', api.token, '--insecure-skip-tls-verify', ...args],
      { encoding: 'utf8', input, env: { ...process.env, KUBECONFIG: '/dev/null' } },
    );
  const get = ({ kind, metadata }: Stored): Stored =>
    JSON.parse(
      kubectl(['get', `${kind}.v1alpha1.headcut.dev`, metadata.name, '-n', metadata.namespace ?? '', '-o', 'json']),
    );
  const installCrds = (from: string): void => {
    kubectl(['apply', '--server-side', ...crdFiles(from).flatMap((file) => ['-f', file])]);
    for (const { metadata } of crdsOf(from))
      kubectl(['wait', `crd/${metadata.name}`, '--for=condition=Established', '--timeout=20s']);
  };

  beforeAll(async () => {
    api = await startApiServer();
    installCrds(folder);
    for (const object of objectsOf(folder)) {
      kubectl(['create', '-f', '-'], stringify(object));
      const status = JSON.stringify({ status: object.status });
      const { kind, metadata } = object;
      const target = [`${kind}.v1alpha1.headcut.dev`, metadata.name, '-n', metadata.namespace ?? ''];
      kubectl(['patch', ...target, '--subresource=status', '--type=merge', '-p', status]);
    }
    const before = objectsOf(folder).map(get);
    expect(before.map(({ spec, status }) => ({ spec, status }))).toEqual(
      objectsOf(folder).map(({ spec, status }) => ({ spec, status })),
    );
    installCrds(PRESENT);
  }, 120_000);
  afterAll(() => api?.stop());

  test('the stored objects have every field that there was', () => {
    const objects = objectsOf(folder);
    for (const crd of crdsOf(folder)) {
      const object = objects.find(({ kind }) => kind === crd.spec.names.kind);
      expect(missingFields(schemaOf(crd) ?? {}, object)).toEqual([]);
    }
  });

  test('no field is gone, and none takes less than it did', () => {
    for (const crd of crdsOf(folder))
      expect(narrowings(schemaOf(crd) ?? {}, presentSchema(crd.spec.names.kind), crd.spec.names.kind)).toEqual([]);
  });

  test('nothing of a stored object is lost', () => {
    for (const object of objectsOf(folder)) {
      const { spec, status } = object;
      expect(get(object)).toMatchObject({ spec, status });
    }
  });

  test('stored objects can be written again as they are, and changed', () => {
    for (const object of objectsOf(folder)) {
      kubectl(['replace', '-f', '-'], stringify(get(object)));
      const renewed = { ...get(object), metadata: { ...get(object).metadata, labels: { touched: 'twice' } } };
      kubectl(['replace', '-f', '-'], stringify(renewed));
      kubectl(['replace', '--subresource=status', '-f', '-'], stringify(get(object)));
      const { spec, status } = object;
      expect(get(object)).toMatchObject({ metadata: { labels: { touched: 'twice' } }, spec, status });
    }
  });

  test('the same objects can be made anew', () => {
    for (const { status: _status, ...object } of objectsOf(folder)) {
      kubectl(['delete', '-f', '-'], stringify(object));
      kubectl(['create', '-f', '-'], stringify(object));
      expect(get(object as Stored)).toMatchObject({ spec: object.spec });
    }
  });
});

test.each<[Schema, Schema, string]>([
  [{ properties: { a: {} } }, { properties: { b: {} } }, 'K.a is gone'],
  [{ type: 'string' }, { type: 'integer' }, 'K was a string and is a integer'],
  [{ enum: ['x', 'y'] }, { enum: ['x', 'z'] }, 'K does not take y any more'],
  [{}, { enum: ['x'] }, 'K takes certain values only'],
  [{ items: {} }, { items: { required: ['a'] } }, 'K[].a is now required'],
  [{ pattern: '^a' }, { pattern: '^b' }, 'K has another pattern'],
  [{}, { maxItems: 3 }, 'K has a lower maxItems'],
  [{ minimum: 0 }, { minimum: 1 }, 'K has a higher minimum'],
  [{ nullable: true }, {}, 'K cannot be null any more'],
  [{ additionalProperties: { maxLength: 5 } }, { additionalProperties: { maxLength: 4 } }, 'K{} has a lower maxLength'],
])('a schema that takes less is noticed: %j and then %j', (older, newer, expected) => {
  expect(narrowings(older, newer, 'K')).toEqual([expected]);
  expect(narrowings(older, older, 'K')).toEqual([]);
});
