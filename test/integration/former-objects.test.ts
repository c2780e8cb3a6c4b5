import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { isNotFound } from '../../src/kube/api-error.ts';
import { Discovery } from '../../src/kube/discovery.ts';
import { applyOwn } from '../../src/ops/apply-own.ts';
import { removeFormerObjects } from '../../src/ops/former-objects.ts';
import { adminClient, applyManifests, freshNamespace } from './cluster.ts';

const client = adminClient();
const discovery = new Discovery(client);
beforeAll(() => void applyManifests());
afterAll(() => client.close());

const labels = { 'app.kubernetes.io/name': 'headcut' };
const policy = (name: string, more: object = {}): KubeObject =>
  ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name, labels, ...more },
    spec: {
      matchConstraints: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['none'] }],
      },
      validations: [{ expression: 'false' }],
    },
  }) as KubeObject;
const binding = (name: string): KubeObject =>
  ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name, labels },
    spec: { policyName: name, validationActions: ['Deny'] },
  }) as KubeObject;
const configMap = (namespace: string, name: string): KubeObject =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name, labels } }) as KubeObject;

async function typeOf(object: KubeObject) {
  const type = await discovery.typeOf(object);
  if (type === undefined) throw new Error(`no kind ${object.kind}`);
  return type;
}
const install = async (object: KubeObject) => applyOwn(client, await typeOf(object), object);
const isThere = async (object: KubeObject): Promise<boolean> => {
  const { name, namespace } = object.metadata;
  return client.get(await typeOf(object), { name, ...(namespace === undefined ? {} : { namespace }) }).then(
    () => true,
    (error: unknown) => {
      if (isNotFound(error)) return false;
      throw error;
    },
  );
};

test('what another version installed and this one does not have goes, and nothing of others does', async () => {
  const other = await freshNamespace(client);
  const former = [policy('headcut-former'), binding('headcut-former'), configMap('headcut-system', 'headcut-former')];
  const kept = [configMap(other, 'headcut-former'), policy('headcut-virtual-nodes-of-mine', { labels: {} })];
  for (const object of [...former, ...kept]) await install(object);
  // Somebody's own, with our label, as dashboards have.
  const byOthers = policy('headcut-of-somebody');
  await client.apply(await typeOf(byOthers), byOthers, { force: true, fieldManager: 'somebody' });
  const removed = await removeFormerObjects(client, discovery);
  expect(removed).toEqual([
    'ValidatingAdmissionPolicyBinding headcut-former',
    'ValidatingAdmissionPolicy headcut-former',
    'ConfigMap headcut-system/headcut-former',
  ]);
  for (const object of former) expect(await isThere(object), object.kind ?? '').toBe(false);
  for (const object of [...kept, byOthers]) expect(await isThere(object), object.metadata.name).toBe(true);
  expect(await isThere(policy('headcut-virtual-nodes'))).toBe(true);
  expect(await removeFormerObjects(client, discovery)).toEqual([]);
});
