import { afterAll, expect, test } from 'vitest';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { DEPLOYMENTS } from '../../src/kube/resources.ts';
import { applyOwn } from '../../src/ops/apply-own.ts';
import { adminClient, freshNamespace } from './cluster.ts';

interface Deployment extends KubeObject {
  spec: { replicas?: number; template: { spec: { containers: { name: string; env?: unknown[] }[] } } };
}

const client = adminClient();
afterAll(() => client.close());

function agent(namespace: string, ...containers: string[]): Deployment {
  const labels = { app: 'agent' };
  const spec = { containers: containers.map((name) => ({ name, image: 'example.com/agent' })) };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'agent', namespace },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } } as Deployment['spec'],
  };
}

const containersOf = ({ spec }: Deployment): string[] => spec.template.spec.containers.map(({ name }) => name);

test.for(['kubectl', 'headcut, kubectl', 'kubectl, headcut'])(
  'what this version has no more is gone, whoever applied the ones before (%s)',
  async (before) => {
    const namespace = await freshNamespace(client);
    const old = agent(namespace, 'agent', 'dropped');
    for (const who of before.split(', '))
      await (who === 'kubectl'
        ? client.apply(DEPLOYMENTS, old, { force: true, fieldManager: 'kubectl' })
        : applyOwn(client, DEPLOYMENTS, old));
    await applyOwn(client, DEPLOYMENTS, agent(namespace, 'agent', 'added'));
    const after = await client.get<Deployment>(DEPLOYMENTS, { namespace, name: 'agent' });
    expect(containersOf(after)).toEqual(['agent', 'added']);
  },
);

test('what others set stays', async () => {
  const namespace = await freshNamespace(client);
  await applyOwn(client, DEPLOYMENTS, agent(namespace, 'agent'));
  await client.patch(DEPLOYMENTS, { namespace, name: 'agent' }, { spec: { replicas: 0 } });
  await applyOwn(client, DEPLOYMENTS, agent(namespace, 'agent'));
  expect((await client.get<Deployment>(DEPLOYMENTS, { namespace, name: 'agent' })).spec.replicas).toBe(0);
});
