import { takenAnswer, type VolumeAnswer } from '../../core/exchange/volume.ts';
import { type Node, objectKey } from '../../core/kube-objects.ts';
import { PEER_LABEL } from '../../core/labels.ts';
import { type ClaimStep, finalizersWith, nextClaimStep, nextVolumeStep } from '../../core/volume/claim-step.ts';
import type { StorageSettings } from '../../core/volume/guest-volume.ts';
import { toPeerVolume, toRequest } from '../../core/volume/peer-volume.ts';
import {
  HOME_PLACE,
  LEFT_PLACES_ANNOTATION,
  leftPlacesOf,
  leftVolumeName,
  type PersistentVolume,
  type PersistentVolumeClaim,
  PLACE_ANNOTATION,
  placeOfVolume,
  SELECTED_NODE_ANNOTATION,
  type StorageClass,
  storageQuantity,
  VOLUME_FINALIZER,
  volumeName,
} from '../../core/volume/volume-objects.ts';
import { ignoreGone, isAlreadyExists } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { PeerLink, PeerLinks } from '../ports.ts';
import { ClaimEvents } from './claim-events.ts';
import { HomeVolumes } from './home-volumes.ts';
import { LostPeers } from './lost-peers.ts';

export interface TravellingVolumesDeps {
  client: KubeClient;
  claims: Store<PersistentVolumeClaim>;
  volumes: Store<PersistentVolume>;
  classes: Store<StorageClass>;
  nodes: Store<Node>;
  links: PeerLinks;
  settings(): StorageSettings | undefined;
  /** How long (ms) what is in a namespace waits for a peer out of contact; undefined: for ever. */
  failoverMs(namespace: string): number | undefined;
  /** The agent's own namespace. */
  namespace: string;
  clock: Clock;
  logger: Logger;
}

/** How often a peer, or the cluster's own provisioner, is looked at that is at work. */
const LOOK_AGAIN_MS = 1_000;
/** After a refusal the scheduler tries at its own pace; it is not to be sent to the same place at once. */
const REFUSED_MS = 5_000;

/** Steps after which a claim is as it was, or is changed by its volume alone. */
const WITHDRAWS_AFTER: readonly ClaimStep['type'][] = ['none', 'ask-peer', 'make-at-home', 'expand'];

/**
 * The home's side of volumes that travel: has a claim of our class served where the scheduler chose, keeps the volume that stands for
 * it, and has the data deleted when that is due. Keyed by `NAMESPACE/NAME` of claims, and names of volumes.
 */
export class TravellingVolumes {
  readonly controller: Controller;
  readonly #deps: TravellingVolumesDeps;
  readonly #home: HomeVolumes;
  readonly #lost: LostPeers;
  readonly #events: ClaimEvents;

  constructor(deps: TravellingVolumesDeps) {
    this.#deps = deps;
    this.#home = new HomeVolumes(deps);
    this.#events = new ClaimEvents(deps);
    this.#lost = new LostPeers(deps.links, deps.clock);
    const { clock, logger } = deps;
    this.controller = createController({
      name: 'volumes',
      clock,
      logger,
      reconcile: (key) => (key.includes('/') ? this.#reconcileClaim(key) : this.#reconcileVolume(key)),
    });
    this.#listen();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { claims, volumes, classes, nodes } = this.#deps;
    await Promise.all([claims, volumes, classes, nodes].map((store) => store.whenSynced()));
    this.#enqueueAll();
    await this.controller.run(signal);
  }

  #listen(): void {
    const { claims, volumes, classes, nodes, links } = this.#deps;
    claims.onChange((key, after, before) => {
      this.controller.enqueue(key);
      if (after?.metadata.uid !== before?.metadata.uid) this.#events.forget(before);
      const owner = this.#home.ownerOf(after ?? before);
      if (owner !== undefined) this.controller.enqueue(owner);
    });
    volumes.onChange((name, after, before) => {
      this.controller.enqueue(name);
      const { namespace, name: claim } = (after ?? before)?.spec.claimRef ?? {};
      if (namespace !== undefined && claim !== undefined) this.controller.enqueue(`${namespace}/${claim}`);
      const owner = this.#home.ownerOfVolume(after ?? before);
      if (owner !== undefined) this.controller.enqueue(owner);
    });
    classes.onChange(() => this.#enqueueAll());
    nodes.onChange((_name, after, before) => {
      if (after === undefined || before === undefined) this.#enqueueAll();
    });
    links.onChange((_id, change) => {
      if (change === 'added' || change === 'removed' || change === 'state') this.#enqueueAll();
    });
  }

  #enqueueAll(): void {
    for (const store of [this.#deps.claims, this.#deps.volumes])
      for (const object of store.list()) this.controller.enqueue(objectKey(object));
  }

  async #reconcileClaim(key: string): Promise<ReconcileResult> {
    const { claims, classes, volumes } = this.#deps;
    const claim = claims.get(key);
    if (claim === undefined) return undefined;
    const step = nextClaimStep({
      claim,
      storageClass: classes.get(claim.spec.storageClassName ?? ''),
      volume: volumes.get(volumeName(claim.metadata.uid ?? '')),
      placeOf: (node) => this.#placeOf(node),
      isLost: (peerId) => this.#lostInMs(claim, peerId) === 0,
    });
    const result = await this.#take(step, claim);
    // Not together with what changes the claim, which is seen first.
    return WITHDRAWS_AFTER.includes(step.type) ? sooner(result, await this.#withdrawLeft(claim)) : result;
  }

  /** Never where its data is, whoever says so. */
  #toWithdraw(claim: PersistentVolumeClaim): string[] {
    const { uid = '', annotations = {} } = claim.metadata;
    const volume = this.#deps.volumes.get(volumeName(uid));
    const kept = [annotations[PLACE_ANNOTATION], volume && placeOfVolume(volume)?.peerId];
    return leftPlacesOf(claim).filter((id) => this.#isMember(id) && !kept.includes(id));
  }

  #lostInMs({ metadata }: PersistentVolumeClaim, peerId: string): number | undefined {
    const afterMs = this.#deps.failoverMs(metadata.namespace ?? '');
    return afterMs === undefined ? undefined : this.#lost.lostInMs(peerId, afterMs);
  }

  /** What peers may have made that were lost meanwhile goes when they are back; nothing waits for it. */
  async #withdrawLeft(claim: PersistentVolumeClaim): Promise<ReconcileResult> {
    const left = leftPlacesOf(claim);
    const rest: string[] = [];
    for (const peerId of this.#toWithdraw(claim))
      if (!(await this.#deleteData(peerId, claim.metadata.uid ?? '').catch(() => false))) rest.push(peerId);
    if (rest.length < left.length) return this.#patchClaim(claim, { left: rest });
    return rest.some((id) => this.#linkOf(id) !== undefined) ? { requeueAfterMs: LOOK_AGAIN_MS } : undefined;
  }

  async #take(step: ClaimStep, claim: PersistentVolumeClaim): Promise<ReconcileResult> {
    switch (step.type) {
      case 'none':
        return undefined;
      case 'note-place':
        return this.#patchClaim(claim, { place: step.place, left: without(claim, step.place) });
      case 'ask-peer':
        return this.#ask(claim, step.peerId);
      case 'make-at-home':
        return this.#makeAtHome(claim, step.node);
      case 'withdraw':
        return this.#withdraw(claim, step.place);
      case 'leave-place': {
        const message = `${this.#nameOf(step.place)} is out of contact: the volume is made elsewhere`;
        await this.#events.tell(claim, 'Warning', 'PeerLost', message);
        const left = [...without(claim, step.place), step.place];
        return this.#patchClaim(claim, { place: null, left, ...(step.isChosen ? { node: null } : {}) });
      }
      case 'leave-volumes':
        for (const peerId of this.#toWithdraw(claim)) await this.#rememberLeft(claim, peerId);
        return this.#patchClaim(claim, { left: [] });
      case 'leave-volume':
        await this.#createVolume(claim, step.peerId, 1);
        return { requeueAfterMs: LOOK_AGAIN_MS };
      case 'let-go':
        return this.#patchClaim(claim, { place: null });
      case 'choose-again':
        return this.#patchClaim(claim, { node: null });
      case 'expand':
        return this.#expand(claim, step);
      case 'refuse':
        await this.#events.tell(claim, 'Warning', step.reason, step.message);
        return undefined;
    }
  }

  async #ask(claim: PersistentVolumeClaim, peerId: string): Promise<ReconcileResult> {
    const answer = await this.#put(claim, peerId);
    if (answer === undefined) return requeueIn(this.#lostInMs(claim, peerId));
    switch (answer.state) {
      case 'Bound':
        await this.#createVolume(claim, peerId, answer.bytes);
        await this.#events.tell(claim, 'Normal', 'ProvisioningSucceeded', `the volume is on ${this.#nameOf(peerId)}`);
        return undefined;
      case 'Pending': {
        const said = answer.message === '' ? 'its provisioner is at work' : answer.message;
        await this.#events.tell(
          claim,
          'Normal',
          'ProvisioningOnPeer',
          `${this.#nameOf(peerId)} makes the volume: ${said}`,
        );
        return { requeueAfterMs: LOOK_AGAIN_MS };
      }
      case 'Refused':
        await this.#events.tell(claim, 'Warning', 'ProvisioningFailed', `${this.#nameOf(peerId)}: ${answer.message}`);
        if (answer.kind === 'later') return { requeueAfterMs: REFUSED_MS };
        await this.#deps.clock.sleep(LOOK_AGAIN_MS);
        // Without the node the scheduler chooses again, and what was noted is withdrawn.
        return this.#patchClaim(claim, { node: null });
    }
  }

  async #put(claim: PersistentVolumeClaim, peerId: string): Promise<VolumeAnswer | undefined> {
    const storageClass = this.#deps.classes.get(claim.spec.storageClassName ?? '');
    const link = this.#linkOf(peerId);
    if (storageClass === undefined || link === undefined) return undefined;
    const body = toRequest(claim, storageClass);
    return takenAnswer(await link.call('putVolume', { params: { uid: claim.metadata.uid ?? '' }, body }));
  }

  async #createVolume(claim: PersistentVolumeClaim, peerId: string, bytes: number): Promise<void> {
    const storageClass = this.#deps.classes.get(claim.spec.storageClassName ?? '');
    const volume = toPeerVolume(claim, storageClass, { peerId, peerName: this.#nameOf(peerId), bytes });
    await this.#write(volume);
  }

  /** Nobody has written into it, whatever the class says of data. */
  async #rememberLeft(claim: PersistentVolumeClaim, peerId: string): Promise<void> {
    const storageClass = this.#deps.classes.get(claim.spec.storageClassName ?? '');
    const volume = toPeerVolume(claim, storageClass, { peerId, peerName: this.#nameOf(peerId), bytes: 1 });
    const name = leftVolumeName(claim.metadata.uid ?? '', peerId);
    const spec = { ...volume.spec, persistentVolumeReclaimPolicy: 'Delete' };
    await this.#write({ ...volume, metadata: { ...volume.metadata, name }, spec });
  }

  async #write(volume: PersistentVolume): Promise<void> {
    await this.#deps.client.create(PERSISTENT_VOLUMES, volume).catch((error) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }

  async #makeAtHome(claim: PersistentVolumeClaim, node: string): Promise<ReconcileResult> {
    const result = await this.#home.step(claim, node);
    if (result.type === 'done') return this.#patchClaim(claim, { place: null });
    if (result.type === 'problem') {
      await this.#events.tell(claim, 'Warning', 'ProvisioningFailed', result.message);
      return { requeueAfterMs: REFUSED_MS };
    }
    if (result.type === 'elsewhere') {
      await this.#events.tell(claim, 'Warning', 'ProvisioningFailed', result.message);
      await this.#deps.clock.sleep(LOOK_AGAIN_MS);
      return this.#patchClaim(claim, { node: null });
    }
    return { requeueAfterMs: LOOK_AGAIN_MS };
  }

  async #withdraw(claim: PersistentVolumeClaim, place: string): Promise<ReconcileResult> {
    const isGone =
      place === HOME_PLACE
        ? (await this.#home.withdraw(claim)).type === 'done'
        : // Nobody can be asked any more; what a former member has there, it deletes by itself.
          !this.#isMember(place) || (await this.#deleteData(place, claim.metadata.uid ?? ''));
    if (!isGone) return { requeueAfterMs: LOOK_AGAIN_MS };
    return this.#patchClaim(claim, { place: null });
  }

  async #expand(claim: PersistentVolumeClaim, step: Extract<ClaimStep, { type: 'expand' }>): Promise<ReconcileResult> {
    const answer = await this.#put(claim, step.peerId);
    if (answer === undefined) return undefined;
    if (answer.state === 'Refused') {
      await this.#events.tell(
        claim,
        'Warning',
        'VolumeResizeFailed',
        `${this.#nameOf(step.peerId)}: ${answer.message}`,
      );
      return { requeueAfterMs: 60_000 };
    }
    if (answer.state === 'Pending' || answer.bytes < step.bytes) return { requeueAfterMs: LOOK_AGAIN_MS };
    const capacity = { storage: storageQuantity(answer.bytes) };
    const { namespace, name, uid = '' } = claim.metadata;
    const { client } = this.#deps;
    await client.patch(PERSISTENT_VOLUMES, { name: volumeName(uid) }, { spec: { capacity } });
    await client.patch(PERSISTENT_VOLUME_CLAIMS, { namespace, name, subresource: 'status' }, { status: { capacity } });
    return undefined;
  }

  async #reconcileVolume(name: string): Promise<ReconcileResult> {
    const { volumes, client } = this.#deps;
    const volume = volumes.get(name);
    if (volume === undefined) return undefined;
    await this.#home.restorePolicy(volume);
    const at = volume.spec.csi?.volumeHandle.split('/')[0] ?? '';
    const step = nextVolumeStep(volume, this.#isMember(at));
    if (step.type === 'none' || volume.metadata.finalizers?.includes(VOLUME_FINALIZER) !== true) return undefined;
    if (step.type === 'delete-data' && !(await this.#deleteData(step.peerId, step.uid)))
      return { requeueAfterMs: LOOK_AGAIN_MS };
    const { uid } = volume.metadata;
    if (volume.metadata.deletionTimestamp === undefined)
      await client.delete(PERSISTENT_VOLUMES, { name }, uid === undefined ? {} : { uid }).catch(ignoreGone);
    const finalizers = finalizersWith(volume.metadata, false);
    await client.patch(PERSISTENT_VOLUMES, { name }, { metadata: { finalizers } }).catch(ignoreGone);
    return undefined;
  }

  /** True when nothing is left of it there. Throws where the peer cannot be asked now. */
  async #deleteData(peerId: string, uid: string): Promise<boolean> {
    const link = this.#linkOf(peerId);
    if (link === undefined) return false;
    return (await link.call('deleteVolume', { params: { uid } })).gone;
  }

  /** A peer that cannot be reached is asked when that changes. */
  #linkOf(peerId: string): PeerLink | undefined {
    const link = this.#deps.links.get(peerId);
    return link?.state === 'Unreachable' ? undefined : link;
  }

  /** Also one of which it is not known yet. */
  #isMember(peerId: string): boolean {
    const { links } = this.#deps;
    return !links.synced || links.get(peerId) !== undefined;
  }

  #nameOf(peerId: string): string {
    return this.#deps.links.get(peerId)?.name ?? peerId.slice(0, 12);
  }

  #placeOf(node: string): string | undefined {
    const found = this.#deps.nodes.get(node);
    return found === undefined ? undefined : (found.metadata.labels?.[PEER_LABEL] ?? HOME_PLACE);
  }

  async #patchClaim(
    claim: PersistentVolumeClaim,
    { place, left, node }: { place?: string | null; left?: readonly string[]; node?: null },
  ): Promise<undefined> {
    const { namespace, name, uid, resourceVersion } = claim.metadata;
    const placeThen = place === undefined ? claim.metadata.annotations?.[PLACE_ANNOTATION] : place;
    // While somebody makes a volume for it, or may have made one.
    const isHeld = (placeThen ?? null) !== null || (left ?? leftPlacesOf(claim)).length > 0;
    const isOfNode = place === undefined && left === undefined;
    const metadata = {
      uid,
      // Finalizers are written as a whole list.
      resourceVersion,
      ...(isOfNode ? {} : { finalizers: finalizersWith(claim.metadata, isHeld) }),
      annotations: {
        ...(place === undefined ? {} : { [PLACE_ANNOTATION]: place }),
        ...(left === undefined ? {} : { [LEFT_PLACES_ANNOTATION]: left.length === 0 ? null : left.join() }),
        ...(node === undefined ? {} : { [SELECTED_NODE_ANNOTATION]: node }),
      },
    };
    await this.#deps.client.patch(PERSISTENT_VOLUME_CLAIMS, { namespace, name }, { metadata }).catch(ignoreGone);
    return undefined;
  }
}

function without(claim: PersistentVolumeClaim, peerId: string): string[] {
  return leftPlacesOf(claim).filter((id) => id !== peerId);
}

function requeueIn(ms: number | undefined): ReconcileResult {
  return ms === undefined ? undefined : { requeueAfterMs: ms };
}

function sooner(one: ReconcileResult, other: ReconcileResult): ReconcileResult {
  if (one === undefined || other === undefined) return one ?? other;
  return one.requeueAfterMs < other.requeueAfterMs ? one : other;
}
