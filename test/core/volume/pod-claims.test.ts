import { expect, test } from 'vitest';
import type { Pod } from '../../../src/core/kube-objects.ts';
import { toShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import { translatePod } from '../../../src/core/shadow-pod/translate-pod.ts';
import { claimNamesOf, placesOf, podClaimsOf, withNamedClaims } from '../../../src/core/volume/pod-claims.ts';
import { twinClaimName, VOLUME_DRIVER } from '../../../src/core/volume/volume-objects.ts';

const pod: Pod = {
  metadata: { name: 'db-0', namespace: 'shop', uid: 'u1' },
  spec: {
    containers: [{ name: 'c', image: 'x' }],
    volumes: [
      { name: 'data', persistentVolumeClaim: { claimName: 'data-db-0', readOnly: true } },
      { name: 'scratch', ephemeral: { volumeClaimTemplate: { spec: {} } } },
      { name: 'none', emptyDir: {} },
    ],
  },
};

const claim = (uid: string, volumeName = '') => ({ metadata: { name: 'x', uid }, spec: { volumeName } });

test('the claims of a pod are those that it names, and those that its templates make', () => {
  expect(claimNamesOf(pod)).toEqual(['data-db-0', 'db-0-scratch']);
  expect(podClaimsOf(pod, (name) => claim(`uid-of-${name}`))).toEqual([
    { name: 'data-db-0', uid: 'uid-of-data-db-0' },
    { name: 'db-0-scratch', uid: 'uid-of-db-0-scratch' },
  ]);
  expect(podClaimsOf(pod, () => undefined)).toBeUndefined();
});

test('on the provider they have the names of the twin namespace, and what is not the home’s is nobody’s', () => {
  const sent = withNamedClaims(pod);
  expect(sent.spec.volumes?.[1]).toEqual({ name: 'scratch', persistentVolumeClaim: { claimName: 'db-0-scratch' } });
  const claims = [{ name: 'data-db-0', uid: 'u7' }];
  const shadow = toShadowPod('a'.repeat(52), { pod: sent, virtualNode: 'headcut-b', objects: [], claims });
  expect(shadow.spec.claims).toEqual(claims);
  const surroundings = { nameserver: '10.96.7.7', homeApi: undefined, clusterDomain: 'cluster.local' };
  const real = translatePod(shadow, surroundings);
  expect(real.spec.volumes?.slice(0, 2)).toEqual([
    { name: 'data', persistentVolumeClaim: { claimName: twinClaimName('u7'), readOnly: true } },
    { name: 'scratch', persistentVolumeClaim: { claimName: 'volume-of-nobody' } },
  ]);
});

test('a pod is where the volumes of its claims are', () => {
  const spec = { csi: { driver: VOLUME_DRIVER, volumeHandle: 'peer/uid' }, nodeAffinity: {} };
  const view = {
    claimOf: (_namespace: string, name: string) => claim('u', name === 'data-db-0' ? 'v1' : ''),
    volumeOf: () => ({ metadata: { name: 'v1' }, spec }),
  };
  expect(placesOf(pod, view)).toEqual(['peer']);
});
