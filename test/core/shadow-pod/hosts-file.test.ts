import { describe, expect, test } from 'vitest';
import type { Pod, PodSpec } from '../../../src/core/kube-objects.ts';
import { type HostsChange, toHomeHosts } from '../../../src/core/shadow-pod/hosts-file.ts';
import { planPodChanges } from '../../../src/core/shadow-pod/plan-pod-changes.ts';
import { toShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import { GATE_CONTAINER, withoutGate } from '../../../src/core/shadow-pod/start-gate.ts';
import { translatePod } from '../../../src/core/shadow-pod/translate-pod.ts';

const surroundings = { nameserver: '10.96.7.7', homeApi: undefined, clusterDomain: 'cluster.local', image: 'agent:1' };
const madeOf = (spec: Partial<PodSpec>, labels = {}): Pod => {
  const pod: Pod = {
    metadata: { name: 'db-0', namespace: 'shop', uid: 'u1', labels },
    spec: { containers: [{ name: 'db' }], ...spec },
  };
  return translatePod(toShadowPod('cluster-a', { pod, virtualNode: 'headcut-b', objects: [] }), surroundings);
};
const changeOf = ({ spec, metadata }: Pod): { change: HostsChange; twin: string } => {
  const command = (spec.initContainers?.[0]?.command ?? []) as string[];
  return {
    change: JSON.parse(command[command.indexOf('--hosts') + 1] ?? '') as HostsChange,
    twin: metadata.namespace ?? '',
  };
};
const file = (own: string): string =>
  `# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\nfe00::0\tip6-localnet\n${own}\n\n# Entries added by HostAliases.\n10.1.2.3\tdb-0.elsewhere\n`;

describe('the hosts file of a pod on its provider', () => {
  test('has the name that the pod has at home, for each of its addresses', () => {
    const { change, twin } = changeOf(madeOf({ subdomain: 'db' }));
    const line = (ip: string, namespace: string) => `${ip}\tdb-0.db.${namespace}.svc.cluster.local\tdb-0`;
    const kubelets = file(`${line('10.244.0.7', twin)}\n${line('fd00::7', twin)}`);
    expect(toHomeHosts(kubelets, change)).toBe(file(`${line('10.244.0.7', 'shop')}\n${line('fd00::7', 'shop')}`));
  });

  test('has both names of a pod whose host name is its whole name', () => {
    const pod = madeOf({ subdomain: 'db', hostname: 'first', setHostnameAsFQDN: true });
    const name = 'first.db.shop.svc.cluster.local';
    expect(pod.spec.hostnameOverride).toBe(name);
    expect(toHomeHosts(file(`10.244.0.7\t${name}`), changeOf(pod).change)).toBe(file(`10.244.0.7\t${name}\tfirst`));
  });

  test('is there for all containers but those that mount one of their own, and made before they start', () => {
    const own = { name: 'own', volumeMounts: [{ name: 'mine', mountPath: '/etc/hosts', subPath: 'hosts' }] };
    const { spec } = madeOf({ subdomain: 'db', containers: [{ name: 'db' }, own], initContainers: [{ name: 'init' }] });
    const mount = { name: 'headcut-hosts', mountPath: '/etc/hosts', subPath: 'hosts' };
    expect(spec.containers).toMatchObject([{ volumeMounts: [mount] }, own]);
    expect(spec.initContainers).toMatchObject([
      { name: GATE_CONTAINER, volumeMounts: [{ name: 'headcut-hosts' }] },
      { name: 'init', volumeMounts: [mount] },
    ]);
    expect(spec.initContainers?.[0]?.command).not.toContain(surroundings.nameserver);
  });

  test('is the kubelet’s own for pods without a subdomain, whose name is the same on both sides', () => {
    const { spec } = madeOf({ hostname: 'first' });
    expect(spec).not.toHaveProperty('initContainers');
    expect(spec).not.toHaveProperty('volumes');
  });

  test('does not show at home', () => {
    const status = (mounts: object[]) => ({
      containerStatuses: [
        { name: 'db', ready: true, restartCount: 0, ...(mounts.length > 0 && { volumeMounts: mounts }) },
      ],
    });
    const data = { name: 'data', mountPath: '/data' };
    const hosts = { name: 'headcut-hosts', mountPath: '/etc/hosts' };
    expect(withoutGate(status([data, hosts]))).toEqual(status([data]));
    expect(withoutGate(status([hosts]))).toEqual(status([]));
  });

  test('is not given to a pod that a former version made without', () => {
    const [before, after] = [madeOf({ subdomain: 'db' }), madeOf({ subdomain: 'db' }, { changed: 'yes' })];
    const { initContainers: _, ...spec } = before.spec;
    const patches = planPodChanges(before, after, { ...before, spec });
    expect(patches).toMatchObject([{ body: { metadata: { labels: { changed: 'yes' } } } }]);
    expect(patches[0]?.body).not.toHaveProperty('spec');
  });
});
