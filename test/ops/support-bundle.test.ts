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

test('nor one of a header, of a volume or of an annotation that others made', () => {
  const httpGet = { path: '/', port: 80, httpHeaders: [{ name: 'Authorization', value: 'Bearer hunter2' }] };
  const pod = {
    metadata: {
      name: 'web',
      annotations: {
        'headcut.dev/fencing': 'Required',
        'cni.example.org/password': 'hunter2',
        'example.org/x.kubernetes.io/y': 'hunter2',
        note: 'hunter2',
      },
    },
    spec: {
      containers: [{ name: 'c', livenessProbe: { httpGet }, lifecycle: { postStart: { httpGet } } }],
      volumes: [
        { name: 'v', csi: { driver: 'd', volumeAttributes: { password: 'hunter2' } } },
        { name: 'w', flexVolume: { driver: 'd', options: { password: 'hunter2' } } },
      ],
    },
  };
  const shown = withoutSecrets(pod);
  expect(JSON.stringify(shown)).not.toContain('hunter2');
  expect(shown).toMatchObject({
    metadata: { annotations: { 'headcut.dev/fencing': 'Required' } },
    spec: { containers: [{ livenessProbe: { httpGet: { path: '/', httpHeaders: [{ name: 'Authorization' }] } } }] },
  });
});

test('the bundle is an archive of a folder of its own', async () => {
  const archive = gunzipSync(await packBundle('folder', [{ path: 'doctor.json', text: '[]' }]));
  expect(archive.subarray(0, 18).toString()).toBe('folder/doctor.json');
});
