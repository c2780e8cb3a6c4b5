import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { GuestVolumes } from '../../src/agent/guest-volume/guest-volumes.ts';
import type { PeerLink, PeerLinks } from '../../src/agent/ports.ts';
import { createStorageCapacities } from '../../src/agent/volume/storage-capacities.ts';
import { TravellingVolumes } from '../../src/agent/volume/travelling-volumes.ts';
import { CodedError } from '../../src/core/coded-error.ts';
import type { KubeObject, Node, Pod } from '../../src/core/kube-objects.ts';
import { toTwinNamespace, twinNamespaceName } from '../../src/core/shadow-pod/twin-namespace.ts';
import { nodeLabels, nodeTaints } from '../../src/core/virtual-node/plan-node.ts';
import type { StorageSettings } from '../../src/core/volume/guest-volume.ts';
import {
  type PersistentVolume,
  type PersistentVolumeClaim,
  PROVISIONED_BY_ANNOTATION,
  SELECTED_NODE_ANNOTATION,
  type StorageClass,
} from '../../src/core/volume/volume-objects.ts';
import { ignoreGone, isAlreadyExists, isNotFound } from '../../src/kube/api-error.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { Discovery } from '../../src/kube/discovery.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import {
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  STORAGE_CLASSES,
} from '../../src/kube/resources.ts';
import { installObjects } from '../../src/ops/install-objects.ts';
import { systemClock as clock } from '../../src/runtime/clock.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { startApiServer } from './api-server.ts';
import { eventually as soon } from './eventually.ts';

/** This cluster, which has the node `real`, and the ID of its one peer, behind the node `headcut-b`. */
export const PEER = 'b'.repeat(52);
const HOME = 'a'.repeat(52);
const NAMESPACE = 'headcut-system';
/** Of the class that both clusters have. */
const PROVISIONER = 'test.local/path';

const logger = createLogger('silent');

/**
 * A cluster with Kubernetes' own scheduler and controllers of volumes, and both sides of headcut's volumes: it is home and provider at
 * once, the one peer being itself under another name. Its nodes have no kubelets, and its volumes no files.
 */
export async function startVolumeCluster() {
  const api = await startApiServer();
  const { server, ca, token, folder } = api;
  const client = createKubeClient({ server, ca, token });
  const programs = startPrograms({ server, token, folder });
  const discovery = new Discovery(client);
  for (const object of installObjects({})) {
    const type = await discovery.typeOf(object);
    if (type !== undefined) await client.apply(type, object, { force: true }).catch(() => {});
  }
  await client.create(STORAGE_CLASSES, localClass());
  for (const node of [realNode(), peerNode()]) {
    const made = await client.create(NODES, node);
    await client.patch(NODES, { name: made.metadata.name, subresource: 'status' }, { status: readyStatus() });
    await client.patch(NODES, { name: made.metadata.name }, { spec: { taints: node.spec?.taints ?? [] } });
  }
  const stop = new AbortController();
  const provisioner = new Provisioner(client);
  const sides = startSides(client, stop.signal);
  const running = Promise.all([sides.running, provisioner.run(stop.signal)]);
  return {
    client,
    peer: sides.peer,
    settings: sides.settings,
    provisioner,
    guests: sides.guests,
    async stop() {
      stop.abort();
      await running;
      for (const program of programs) program.kill('SIGKILL');
      await client.close();
      await api.stop();
    },
  };
}

function startPrograms({ server, token, folder }: { server: string; token: string; folder: string }): ChildProcess[] {
  const tools = process.env.HEADCUT_TOOLS ?? '';
  const kubeconfig = join(folder, 'admin.kubeconfig');
  const cluster = { server, 'insecure-skip-tls-verify': true };
  const entry = { name: 'x', context: { cluster: 'x', user: 'x' } };
  const text = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'x', cluster }],
    users: [{ name: 'x', user: { token } }],
    contexts: [entry],
    'current-context': 'x',
  };
  writeFileSync(kubeconfig, JSON.stringify(text));
  const start = (name: string, args: string[]): ChildProcess => {
    const log = openSync(join(folder, `${name}.log`), 'w');
    const all = [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0', ...args];
    const child = spawn(join(tools, name), all, { stdio: ['ignore', log, log] });
    closeSync(log);
    return child;
  };
  const controllers = ['persistentvolume-binder', 'persistentvolumeclaim-protection', 'persistentvolume-protection'];
  const names = [...controllers, 'namespace', 'serviceaccount'].map((name) => `${name}-controller`);
  return [
    start('kube-scheduler', []),
    start('kube-controller-manager', [`--controllers=${names.join()}`, '--use-service-account-credentials=false']),
  ];
}

function localClass(): StorageClass {
  return {
    metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: PROVISIONER,
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
    allowVolumeExpansion: true,
  } as StorageClass;
}

function realNode(): Node {
  return { metadata: { name: 'real', labels: { 'kubernetes.io/hostname': 'real' } } };
}

function peerNode(): Node {
  const labels = nodeLabels({ peerId: PEER, peerName: 'b', offer: undefined });
  return { metadata: { name: 'headcut-b', labels }, spec: { taints: nodeTaints([], 'Connected') } };
}

function readyStatus(): object {
  const room = { cpu: '8', memory: '8Gi', pods: '110' };
  return { capacity: room, allocatable: room, conditions: [{ type: 'Ready', status: 'True' }] };
}

function startSides(client: KubeClient, signal: AbortSignal) {
  const common = { client, clock, logger };
  const claims = new Reflector<PersistentVolumeClaim>({ ...common, type: PERSISTENT_VOLUME_CLAIMS });
  const volumes = new Reflector<PersistentVolume>({ ...common, type: PERSISTENT_VOLUMES });
  const classes = new Reflector<StorageClass>({ ...common, type: STORAGE_CLASSES });
  const nodes = new Reflector<Node>({ ...common, type: NODES });
  const settings = new Settings();
  const guests = new GuestVolumes({
    ...{ client, claims, classes, nodes },
    settings: () => settings.now,
    whyClosed: () => undefined,
    twins: {
      nameOf: twinNamespaceName,
      ensure: async (twin) => {
        await client.create(NAMESPACES, toTwinNamespace(twin, 'baseline')).catch((error) => {
          if (!isAlreadyExists(error)) throw error;
        });
        return undefined;
      },
    },
    clock,
  });
  const peer = new LoopbackPeer(guests);
  const links: PeerLinks = {
    get: (id) => (id === PEER && peer.isMember ? peer.link : undefined),
    list: () => (peer.isMember ? [peer.link] : []),
    synced: true,
    onChange: (listener) => peer.listeners.push(listener),
  };
  const ofStorage = { ...common, classes, links, namespace: NAMESPACE, settings: () => settings.now };
  const travelling = new TravellingVolumes({
    ...ofStorage,
    failoverMs: () => settings.failoverMs,
    claims,
    volumes,
    nodes,
  });
  const capacities = createStorageCapacities({
    ...ofStorage,
    onSettings: (listener) => settings.listeners.push(listener),
  });
  guests.onChange(() => peer.tell('offer'));
  const running = Promise.all([claims, volumes, classes, nodes, travelling, capacities].map((one) => one.run(signal)));
  return { running, peer, guests, settings };
}

/** `spec.storage` of both Federations. */
class Settings {
  now: StorageSettings = {};
  /** How long claims wait for the peer that makes their volumes. */
  failoverMs: number | undefined;
  readonly listeners: (() => void)[] = [];

  change(next: StorageSettings): void {
    this.now = next;
    for (const listener of this.listeners) listener();
  }
}

/** The peer: asks the provider's side as the home that this cluster is. */
export class LoopbackPeer {
  state: 'Connected' | 'Unreachable' = 'Connected';
  isMember = true;
  readonly listeners: ((id: string, change: 'offer' | 'state' | 'removed') => void)[] = [];
  readonly link: PeerLink;

  constructor(guests: GuestVolumes) {
    const self = this;
    this.link = {
      id: PEER,
      name: 'b',
      get state() {
        return self.state;
      },
      get offer() {
        return { storage: guests.offerFor(HOME) };
      },
      call: (name: 'putVolume' | 'deleteVolume', asked: { params: { uid: string }; body: never }) => {
        if (self.state === 'Unreachable') throw new CodedError('Unavailable', 'b: no contact');
        const handler = guests.calls[name] as (request: object) => unknown;
        return handler({ ...asked, peerId: HOME });
      },
    } as unknown as PeerLink;
  }

  tell(change: 'offer' | 'state' | 'removed'): void {
    for (const listener of this.listeners) listener(PEER, change);
  }
}

/** Makes and deletes volumes of class `local`, as provisioners do that follow kubernetes-sigs/sig-storage-lib-external-provisioner. */
class Provisioner {
  readonly #client: KubeClient;
  /** Claims whose data was deleted, by UID of the claim for which a volume was made. */
  readonly deleted: string[] = [];
  isAway = false;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (!this.isAway) await this.#look().catch(() => {});
      await clock.sleep(100, signal).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const claims = await this.#client.list<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS);
    for (const claim of claims.items) {
      const node = claim.metadata.annotations?.[SELECTED_NODE_ANNOTATION];
      if (claim.spec.storageClassName !== 'local' || node === undefined) continue;
      if (claim.spec.volumeName === undefined) await this.#make(claim, node);
      else await this.#enlarge(claim);
    }
    const volumes = await this.#client.list<PersistentVolume>(PERSISTENT_VOLUMES);
    for (const { metadata, spec, status } of volumes.items) {
      if (metadata.annotations?.[PROVISIONED_BY_ANNOTATION] !== PROVISIONER) continue;
      if (status?.phase !== 'Released' || spec.persistentVolumeReclaimPolicy !== 'Delete') continue;
      this.deleted.push(metadata.name.replace('pvc-', ''));
      await this.#client.delete(PERSISTENT_VOLUMES, { name: metadata.name }).catch(ignoreGone);
    }
  }

  async #make(claim: PersistentVolumeClaim, node: string): Promise<void> {
    const { namespace, name, uid = '' } = claim.metadata;
    const hostname = { key: 'kubernetes.io/hostname', operator: 'In', values: [node] };
    const volume = {
      metadata: { name: `pvc-${uid}`, annotations: { [PROVISIONED_BY_ANNOTATION]: PROVISIONER } },
      spec: {
        capacity: claim.spec.resources?.requests ?? {},
        accessModes: claim.spec.accessModes,
        volumeMode: claim.spec.volumeMode,
        persistentVolumeReclaimPolicy: 'Delete',
        storageClassName: 'local',
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
        hostPath: { path: `/volumes/${uid}` },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [hostname] }] } },
      },
    };
    await this.#client.create(PERSISTENT_VOLUMES, volume as unknown as PersistentVolume).catch((error) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }

  async #enlarge({ metadata: { namespace, name }, spec, status }: PersistentVolumeClaim): Promise<void> {
    const { storage } = spec.resources?.requests ?? {};
    if (status?.phase !== 'Bound' || storage === status.capacity?.storage) return;
    await this.#client.patch(PERSISTENT_VOLUMES, { name: spec.volumeName ?? '' }, { spec: { capacity: { storage } } });
    const patch = { status: { capacity: { storage } } };
    await this.#client.patch(PERSISTENT_VOLUME_CLAIMS, { namespace, name, subresource: 'status' }, patch);
  }
}

export const claimOf = (namespace: string, name: string, more: object = {}): PersistentVolumeClaim => ({
  metadata: { name, namespace },
  spec: {
    storageClassName: 'headcut',
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    ...more,
  },
});

/** A pod that uses a claim, and may go to the node alone, or to any. */
export function podWith(namespace: string, claimName: string, node?: 'real' | 'headcut-b'): Pod {
  return {
    metadata: { name: `uses-${claimName}`, namespace },
    spec: {
      containers: [{ name: 'c', image: 'x' }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
      // What a pod of a claim that is a moment old is not given yet.
      ...(node === undefined
        ? {}
        : {
            tolerations: [{ key: 'headcut.dev/virtual-node', operator: 'Exists' }],
            nodeSelector: { 'kubernetes.io/hostname': node },
          }),
    },
  };
}

/** Kubernetes' own controllers take their time. */
export const eventually = <T>(check: () => Promise<T>, withinMs = 15_000): Promise<T> => soon(check, withinMs);

export function whatIs<T extends KubeObject>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
}

/** Where a pod was put, once it was. */
export function nodeOf(client: KubeClient, namespace: string, name: string): Promise<string> {
  return eventually(async () => {
    const { spec, status } = await client.get<Pod>(PODS, { namespace, name });
    expect(spec.nodeName, status?.conditions?.[0]?.message).toBeDefined();
    return spec.nodeName ?? '';
  }, 30_000);
}
