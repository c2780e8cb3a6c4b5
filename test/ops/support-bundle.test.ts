import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { packBundle, withoutSecrets } from '../../src/ops/support-bundle.ts';

test('what a support bundle shows of a pod holds no value of a variable, command or manifest', () => {
  const container = {
    name: 'c',
    image: 'web:1',
    env: [{ name: 'PASSWORD', value: 'hunter2' }],
    args: ['--token=hunter2'],
    livenessProbe: { exec: { command: ['check', 'hunter2'] } },
  };
  const pod = {
    metadata: {
      name: 'web',
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"x":"hunter2"}' },
      managedFields: [{ manager: 'kubectl' }],
    },
    spec: { nodeName: 'a', containers: [container] },
  };
  const shown = withoutSecrets(pod);
  expect(JSON.stringify(shown)).not.toMatch(/hunter2|managedFields/);
  expect(shown).toMatchObject({
    spec: { nodeName: 'a', containers: [{ image: 'web:1', env: [{ name: 'PASSWORD' }] }] },
  });
});

test('the bundle is an archive of a folder of its own', async () => {
  const archive = gunzipSync(await packBundle('folder', [{ path: 'doctor.json', text: '[]' }]));
  expect(archive.subarray(0, 18).toString()).toBe('folder/doctor.json');
});
