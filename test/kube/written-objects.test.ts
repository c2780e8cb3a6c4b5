import { expect, test } from 'vitest';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { WrittenObjects } from '../../src/kube/written-objects.ts';
import { FakeStore } from '../fake-store.ts';

const object = (name: string, resourceVersion: string): KubeObject => ({
  metadata: { name, namespace: 'demo', resourceVersion },
});

function start(...known: KubeObject[]) {
  const store = new FakeStore<KubeObject>(known);
  const written = new WrittenObjects(store);
  const versions = () =>
    written
      .list('demo')
      .map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`)
      .sort();
  return { store, written, versions };
}

test('what was written counts until the watch brings it, or something newer', () => {
  const { store, written, versions } = start(object('web', '9'));
  written.note(object('web', '11'));
  written.note(object('db', '12'));
  expect(versions()).toEqual(['db@12', 'web@11']);
  store.set(object('web', '10'));
  expect(versions()).toEqual(['db@12', 'web@11']);
  store.set(object('web', '11'));
  store.set(object('web', '13'));
  expect(versions()).toEqual(['db@12', 'web@13']);
});

test('what was deleted is gone at once, and stays so until it is made anew', () => {
  const { store, written, versions } = start(object('web', '9'));
  written.noteDeleted(object('web', '9'));
  expect(versions()).toEqual([]);
  store.delete('demo/web');
  expect(versions()).toEqual([]);
  store.set(object('web', '14'));
  expect(versions()).toEqual(['web@14']);
});

test('an answer that comes after its news changes nothing, and a failed write is forgotten', () => {
  const { store, written, versions } = start();
  store.set(object('web', '11'));
  written.note(object('web', '10'));
  written.note(object('db', '12'));
  written.forget(object('db', '12'));
  expect(versions()).toEqual(['web@11']);
});

test('objects of other namespaces are not listed', () => {
  const { written } = start();
  written.note({ metadata: { name: 'web', namespace: 'other', resourceVersion: '1' } });
  expect(written.list('demo')).toEqual([]);
});
