import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../src/core/kube-objects.ts';
import type { Service } from '../../src/core/service/service-objects.ts';
import { clusters, DNS_CACHE_MS, lookup, nodes, service, shell } from './askers.ts';
import { apply, eventually, isReady, list, offloadedNamespace, pod, podSpec } from './lab.ts';

/** One pod on each member, each behind a Service of its own; one behind a headless Service with it, and a Service with nothing behind it. */
const names = clusters.map((cluster) => `on-${cluster}`);
const AT_HOME = 'on-a';

describe('for a pod on a peer', () => {
  let namespace: Awaited<ReturnType<typeof offloadedNamespace>>;
  let ns = '';
  const pods = new Map<string, Pod>();
  const addressOf = (name: string): string => pods.get(name)?.status?.podIP ?? '';
  const services = new Map<string, string>();
  /** The address that each one's interface has where it runs. */
  const local = new Map<string, string>();

  beforeAll(async () => {
    namespace = await offloadedNamespace('a');
    ns = namespace.name;
    const set = { clusterIP: 'None', selector: { set: 'all' }, ports: [{ name: 'http', port: 8080 }] };
    await apply(
      'a',
      ...names.map((name, index) => {
        const spec = { nodeSelector: { 'kubernetes.io/hostname': nodes[index] }, hostname: name, subdomain: 'set' };
        const made = pod(ns, name, podSpec(spec)) as Pod;
        return { ...made, metadata: { ...made.metadata, labels: { app: name, set: 'all' } } };
      }),
      ...[...names, 'nobody'].map((name) => service(ns, name)),
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'set', namespace: ns }, spec: set },
    );
    await eventually(async () => {
      const all = await list<Pod>('a', ['-n', ns, 'pods']);
      expect(all.filter((one) => isReady(one) && one.status?.podIP !== undefined)).toHaveLength(names.length);
      for (const one of all) pods.set(one.metadata.name, one);
    }, 60_000);
    for (const { metadata, spec } of await list<Service>('a', ['-n', ns, 'services']))
      services.set(metadata.name, spec?.clusterIP ?? '');
    for (const name of names) local.set(name, (await shell(ns, name, 'hostname -i')).trim());
  }, 90_000);
  afterAll(() => namespace?.[Symbol.asyncDispose]());

  /** Asks all of these addresses once, by one script; gives who answered, or what was said instead. */
  const asked = async (asker: string, addresses: readonly string[]): Promise<string[]> => {
    const script = addresses.map((address) => `timeout 5 wget -qO- http://${address} 2>&1 || true; echo`).join('\n');
    const said = (await shell(ns, asker, script)).split('\n').filter((line) => line !== '');
    return said.map((line) => /hello from pod (\S+)/.exec(line)?.[1] ?? line);
  };

  test('the address of each pod leads to it, wherever it runs', async () => {
    for (const asker of names) {
      // Its own interface has an address that a pod at home may have too.
      const others = names.filter((name) => name === asker || addressOf(name) !== local.get(asker));
      await eventually(async () =>
        expect(
          await asked(
            asker,
            others.map((name) => `${addressOf(name)}:8080`),
          ),
          asker,
        ).toEqual(others),
      );
    }
  });

  test('the address of each Service leads to it, also to the pod that asks, and one with nothing behind it refuses', async () => {
    for (const asker of names)
      await eventually(async () => {
        const said = await asked(
          asker,
          [...names, 'nobody'].map((name) => services.get(name) ?? ''),
        );
        expect(said.slice(0, -1), asker).toEqual(names);
        // At home the cluster's own service proxy answers, and some network plugins let it wait.
        if (asker !== AT_HOME) expect(said.at(-1), asker).toMatch(/refused/);
      });
  });

  test('names have the addresses that they have at home, and addresses the names', async () => {
    const all = names.map(addressOf).sort();
    for (const asker of names)
      await eventually(async () => {
        for (const name of names)
          expect(await lookup(ns, asker, `${name}.${ns}.svc.cluster.local`), asker).toEqual([services.get(name)]);
        // One that is just the asking pod's own there has its image in names.
        const found = await lookup(ns, asker, `set.${ns}.svc.cluster.local`);
        expect(found, asker).toHaveLength(all.length);
        expect(found, asker).toEqual(expect.arrayContaining(all.filter((address) => address !== local.get(asker))));
        const reverse = names.flatMap((name) => [services.get(name), addressOf(name)]);
        const said = await shell(ns, asker, reverse.map((address) => `nslookup ${address}`).join('\n'));
        for (const name of names) {
          expect(said).toContain(`name = ${name}.${ns}.svc.`);
          if (addressOf(name) !== local.get(asker)) expect(said).toContain(`name = ${name}.set.${ns}.svc.`);
        }
      }, DNS_CACHE_MS);
  });
});
