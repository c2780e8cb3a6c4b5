import { describe, expect, test } from 'vitest';
import type { KubeObject, Pod } from '../../src/core/kube-objects.ts';
import { readLabState } from '../../src/lab/lab-state.ts';
import { DEFAULT_POD_NETWORK } from '../../src/lab/pod-network.ts';
import { answered, askers, clusters, DNS_CACHE_MS, READY_PROBE, service, shell } from './askers.ts';
import {
  apply,
  evenDeployment,
  eventually,
  inNetworkOf,
  isReady,
  kubectl,
  list,
  offloadedNamespace,
  pod,
  podSpec,
  readyPods,
} from './lab.ts';
import { imagesOf, usesPod } from './members.ts';
import { labFolder } from './reach-lab.ts';

/**
 * What clusters have already. Wants labs made for it: `scripts/lab up --name NAME --clusters 2 --cni flannel --kube-proxy nftables`,
 * and one with `--cni kube-router`, then HEADCUT_LAB=$PWD/.lab-NAME.
 */
const { cni, kubeProxy } = { ...DEFAULT_POD_NETWORK, ...readLabState(labFolder) };
const isWanted = cni !== 'bridge';
const title = isWanted
  ? `clusters with ${cni} and kube-proxy for ${kubeProxy}`
  : 'clusters with networks of others (only in a lab that is made with --cni)';

/** Nothing here is about time, and a machine that tests is busy. */
const PATIENCE_MS = 120_000;
const POLICIES_WITHIN_MS = 10 * 60_000;

/** The link by which one sees which of them makes the pods' network. */
const LINK_OF: Record<string, string> = { flannel: 'flannel.1', 'kube-router': 'kube-bridge' };

const addressOf = ({ status }: Pod): string => status?.podIP ?? '';
const isAtHome = ({ spec }: Pod): boolean => spec.nodeName === 'a';

const homeImages = isWanted ? await imagesOf('a') : '';

/** By which address one pod reaches another: elsewhere, pods of home have another one than kubectl shows at home. */
function addressFor(asker: Pod, to: Pod): string {
  return isAtHome(asker) || !isAtHome(to) ? addressOf(to) : `${homeImages}.${addressOf(to).split('.')[3]}`;
}

/** All of them are Ready, and have an address; by name. */
async function addressedPods(namespace: string, replicas: number): Promise<Pod[]> {
  let pods: Pod[] = [];
  await eventually(async () => {
    pods = await list<Pod>('a', ['-n', namespace, 'pods']);
    expect(pods.filter((one) => isReady(one) && addressOf(one) !== '')).toHaveLength(replicas);
  }, PATIENCE_MS);
  return pods;
}

/** The names of those pods from which a pod gets an answer, in order. */
async function reached(asker: Pod, pods: readonly Pod[]): Promise<string> {
  const { namespace = '', name } = asker.metadata;
  const ask = (to: Pod): string => {
    const answer = `timeout 3 wget -qO- http://${addressFor(asker, to)}:8080/ 2>/dev/null`;
    return `${answer} | grep -q 'from pod ${to.metadata.name} ' && echo ${to.metadata.name}`;
  };
  const lines = await shell(namespace, name, `${pods.map(ask).join('\n')}\ntrue`);
  return lines.trim().replaceAll('\n', ' ');
}

/** Every pod gets answers from every one, itself included. */
async function reachEachOther(pods: readonly Pod[]): Promise<void> {
  const all = pods.map(({ metadata }) => metadata.name).join(' ');
  // The first packets to a new pod may be faster than the news of it.
  for (const asker of pods)
    await eventually(async () => expect(await reached(asker, pods), asker.metadata.name).toBe(all));
}

/** The machines forward nothing that no rule allows, as where Docker or a firewall is; as before at the end of the block. */
async function forwardNothing(): Promise<AsyncDisposable> {
  const policy = (verdict: string) =>
    Promise.all(clusters.map((cluster) => inNetworkOf(cluster, ['iptables', '-P', 'FORWARD', verdict])));
  await policy('DROP');
  return { [Symbol.asyncDispose]: async () => void (await policy('ACCEPT')) };
}

describe.skipIf(!isWanted)(title, () => {
  test('are what they are called', async () => {
    for (const cluster of clusters) {
      expect(await inNetworkOf(cluster, ['ip', '-brief', 'link'])).toContain(LINK_OF[cni] ?? 'a known network');
      const tables = await inNetworkOf(cluster, ['nft', 'list', 'tables']);
      expect(tables.includes('table ip kube-proxy')).toBe(kubeProxy === 'nftables');
      const legacy = await inNetworkOf(cluster, ['iptables-save', '-t', 'nat']);
      expect(legacy.includes('KUBE-SVC-')).toBe(kubeProxy === 'iptables');
    }
  });

  test('let all pods reach each other by their addresses, both ways, also where nothing else is forwarded', async () => {
    await using namespace = await offloadedNamespace('a');
    await apply('a', evenDeployment(namespace.name, 'net', 2 * clusters.length));
    const pods = await addressedPods(namespace.name, 2 * clusters.length);
    expect(pods.filter(isAtHome)).toHaveLength(2);
    await reachEachOther(pods);
    await using _drop = await forwardNothing();
    await reachEachOther(pods);
  });

  test('let a Service answer from all replicas, at home and from its twin namespace', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', service(name, 'hello'), evenDeployment(name, 'hello', 4, podSpec({}, READY_PROBE)));
    const names = new Set((await readyPods('a', name, 4)).map(({ metadata }) => metadata.name));
    for (const asker of await askers(name))
      await eventually(
        async () => expect(await answered(name, asker, 'http://hello', 40), asker).toEqual(names),
        DNS_CACHE_MS,
      );
  });

  test('let logs and exec through, both ways', async () => {
    await usesPod('a', 'b');
    await usesPod('b', 'a');
  });
});

const POLICY = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' };
/** CoreDNS of the lab listens on the node, on a port of its own. */
const DNS_PORTS = [53, 10_053].flatMap((port) => ['UDP', 'TCP'].map((protocol) => ({ port, protocol })));

function denyAll(namespace: string): object {
  const spec = { podSelector: {}, policyTypes: ['Ingress', 'Egress'] };
  return { ...POLICY, metadata: { name: 'deny-all', namespace }, spec };
}

/** What most namespaces with a default of nothing allow: each other, and names. */
function allowNamespaceAndNames(namespace: string): object {
  const each = [{ podSelector: {} }];
  const spec = {
    podSelector: {},
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ from: each }],
    egress: [{ to: each }, { ports: DNS_PORTS }],
  };
  return { ...POLICY, metadata: { name: 'allow', namespace }, spec };
}

function web(namespace: string, name: string, node: string): object {
  const spec = podSpec({ nodeSelector: { 'kubernetes.io/hostname': node } }, READY_PROBE);
  return { ...pod(namespace, name, spec), metadata: { name, namespace, labels: { app: 'web' } } };
}

/** Two pods at home and two away, in one namespace, and one at home in another namespace. */
async function podsInTwoNamespaces() {
  const namespace = await offloadedNamespace('a');
  const { name } = namespace;
  const outside = `${name}-outside`;
  await apply(
    'a',
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: outside } },
    ...['home-1', 'home-2'].map((one) => web(name, one, 'a')),
    ...['away-1', 'away-2'].map((one) => web(name, one, 'headcut-b')),
    service(name, 'web'),
    web(outside, 'outsider', 'a'),
  );
  const remove = async (): Promise<void> => {
    await namespace[Symbol.asyncDispose]();
    await kubectl('a', ['delete', 'namespace', outside, '--wait=false']);
  };
  return { namespace: name, outside, [Symbol.asyncDispose]: remove };
}

/** Who gets an answer from whom, of others. */
async function world(pods: readonly Pod[]): Promise<Record<string, string>> {
  const rows = pods.map(async (asker) => {
    const others = pods.filter((one) => one !== asker);
    return [asker.metadata.name, await reached(asker, others)] as const;
  });
  return Object.fromEntries(await Promise.all(rows));
}

/** Without policies. Pods of namespaces that are not offloaded are nobody's business elsewhere. */
const OPEN = {
  'away-1': 'away-2 home-1 home-2',
  'away-2': 'away-1 home-1 home-2',
  'home-1': 'away-1 away-2 home-2 outsider',
  'home-2': 'away-1 away-2 home-1 outsider',
  outsider: 'away-1 away-2 home-1 home-2',
};

/**
 * Between offloaded pods nothing is forbidden: policies stay at home. There kube-router holds them for all pods that show the
 * address of its node as their host's, which offloaded ones do: other pods at home do not reach these either.
 */
const DENIED = { 'away-1': 'away-2', 'away-2': 'away-1', 'home-1': '', 'home-2': '', outsider: '' };

const EACH_OTHER = {
  'away-1': 'away-2 home-1 home-2',
  'away-2': 'away-1 home-1 home-2',
  'home-1': 'away-1 away-2 home-2',
  'home-2': 'away-1 away-2 home-1',
  outsider: '',
};

const NOTHING_TO_OFFLOADED = {
  'away-1': 'home-1 home-2',
  'away-2': 'home-1 home-2',
  'home-1': 'home-2 outsider',
  'home-2': 'home-1 outsider',
  outsider: 'home-1 home-2',
};

async function logsAndExecWork(namespace: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    expect(await kubectl('a', ['-n', namespace, 'exec', name, '--', 'echo', 'there'])).toBe('there\n');
    expect(await kubectl('a', ['-n', namespace, 'logs', name])).toContain('listens on port 8080');
  }
}

const enforces = cni === 'kube-router';
const policies = `NetworkPolicies${enforces ? '' : ' (only in a lab that is made with --cni kube-router)'}`;

describe.skipIf(!enforces)(policies, () => {
  test(
    'of an offloaded namespace hold for its pods at home, towards offloaded ones as well, and stop none from starting',
    async () => {
      await using made = await podsInTwoNamespaces();
      const { namespace, outside } = made;
      const pods = [...(await addressedPods(namespace, 4)), ...(await addressedPods(outside, 1))];
      await eventually(async () => expect(await world(pods)).toEqual(OPEN), PATIENCE_MS);

      await apply('a', denyAll(namespace));
      await eventually(async () => expect(await world(pods)).toEqual(DENIED), PATIENCE_MS);
      await logsAndExecWork(namespace, ['home-1', 'home-2', 'away-1', 'away-2']);
      await apply('a', web(namespace, 'late-home', 'a'), web(namespace, 'late-away', 'headcut-b'));
      await addressedPods(namespace, 6);
      await kubectl('a', ['-n', namespace, 'delete', 'pod', 'late-home', 'late-away']);
      expect(await world(pods)).toEqual(DENIED);

      await apply('a', allowNamespaceAndNames(namespace));
      await eventually(async () => expect(await world(pods)).toEqual(EACH_OTHER), PATIENCE_MS);
      const all = new Set(['away-1', 'away-2', 'home-1', 'home-2']);
      for (const asker of ['home-1', 'away-1'])
        await eventually(
          async () => expect(await answered(namespace, asker, 'http://web', 40), asker).toEqual(all),
          DNS_CACHE_MS,
        );
    },
    POLICIES_WITHIN_MS,
  );

  test(
    'of a provider hold for the pods that it runs for others, whose probes, logs and exec go on',
    async () => {
      await using made = await podsInTwoNamespaces();
      const { namespace, outside } = made;
      const pods = [...(await addressedPods(namespace, 4)), ...(await addressedPods(outside, 1))];
      const [twin] = await list<KubeObject>('b', ['namespaces', '-l', `headcut.dev/origin-namespace=${namespace}`]);
      const metadata = { name: 'deny', namespace: twin?.metadata.name };
      await apply('b', { ...POLICY, metadata, spec: { podSelector: {}, policyTypes: ['Ingress'] } });
      await eventually(async () => expect(await world(pods)).toEqual(NOTHING_TO_OFFLOADED), PATIENCE_MS);
      await logsAndExecWork(namespace, ['away-1', 'away-2']);
      const [away] = await addressedPods(namespace, 4);
      expect(away?.metadata.uid).toBe(pods[0]?.metadata.uid);
    },
    POLICIES_WITHIN_MS,
  );
});
