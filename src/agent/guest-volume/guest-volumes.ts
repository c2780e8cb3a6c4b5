import { CodedError, messageOf } from '../../core/coded-error.ts';
import type { PodVerdict } from '../../core/exchange/pod-submission.ts';
import type { OfferedClass, PodClaim, VolumeAnswer, VolumeRequest } from '../../core/exchange/volume.ts';
import { type Node, objectKey } from '../../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../../core/labels.ts';
import { usableNodes } from '../../core/offer/compute-offer.ts';
import type { Origin, Twin } from '../../core/reflection/reflected-object.ts';
import { twinNamespaceName } from '../../core/shadow-pod/twin-namespace.ts';
import {
  answerFor,
  isClaimOf,
  judgeVolume,
  ownerOf,
  refusalOfMore,
  refused,
  type StorageSettings,
  type StorageView,
  storageOfferFor,
  toTwinClaim,
} from '../../core/volume/guest-volume.ts';
import {
  type PersistentVolumeClaim,
  requestedBytes,
  type StorageClass,
  storageQuantity,
  twinClaimName,
} from '../../core/volume/volume-objects.ts';
import { ignoreGone, isAlreadyExists, isForbidden, isInvalid } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PERSISTENT_VOLUME_CLAIMS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { CallHandlers } from '../../peering/serving.ts';
import type { Clock } from '../../runtime/clock.ts';
import { latestEventOf } from './claim-events.ts';
import { PromisedClaims } from './promised-claims.ts';

export interface GuestVolumesDeps {
  client: Pick<KubeClient, 'get' | 'list' | 'create' | 'patch' | 'delete'>;
  /** All claims of this cluster. */
  claims: Store<PersistentVolumeClaim>;
  classes: Store<StorageClass>;
  nodes: Store<Node>;
  settings(): StorageSettings | undefined;
  /** Why a peer may have nothing here; undefined when it may. */
  whyClosed(peerId: string): string | undefined;
  twins: {
    /** Where pods of that namespace are, or would be. */
    nameOf(origin: Origin): string;
    /** Makes the namespace, at a pace for each member; gives why it cannot have one more. */
    ensure(twin: Twin): Promise<{ reason: string; message: string } | undefined>;
  };
  clock: Pick<Clock, 'monotonic'>;
}

/** The provider's side of volumes: claims in twin namespaces, one for each claim of a member that it asked a volume for. */
export class GuestVolumes {
  readonly #deps: GuestVolumesDeps;
  readonly #promised: PromisedClaims;

  constructor(deps: GuestVolumesDeps) {
    this.#deps = deps;
    this.#promised = new PromisedClaims(deps.clock);
  }

  /** What peers ask. Whose a volume is, is part of its place: the twin namespace of a member, and the UID of its claim. */
  get calls(): Pick<CallHandlers, 'putVolume' | 'deleteVolume'> {
    return {
      putVolume: ({ peerId, params, body }) => this.put(peerId, params.uid, body),
      deleteVolume: async ({ peerId, params }) => ({ gone: await this.delete(peerId, params.uid) }),
    };
  }

  /** Storage that a peer may ask for now. */
  offerFor(peerId: string): OfferedClass[] {
    if (!this.#deps.claims.synced || !this.#deps.classes.synced) return [];
    return this.#deps.whyClosed(peerId) === undefined ? storageOfferFor(peerId, this.#view()) : [];
  }

  /** Called when what is offered may be another. */
  onChange(listener: () => void): void {
    this.#deps.claims.onChange((_key, after, before) => {
      if (isOfGuest(after ?? before)) listener();
    });
    this.#deps.classes.onChange(listener);
  }

  /** A twin namespace that holds data stays; so does any until the claims are known. */
  holdsData(twin: string): boolean {
    const { claims } = this.#deps;
    return !claims.synced || claims.list().some((claim) => isOfGuest(claim) && claim.metadata.namespace === twin);
  }

  /** Twin namespaces of a member that hold data. */
  twinsOf(peerId: string): string[] {
    const own = this.#deps.claims.list().filter((claim) => ownerOf(claim) === peerId);
    return [...new Set(own.map(({ metadata }) => metadata.namespace ?? ''))];
  }

  async put(peerId: string, uid: string, request: VolumeRequest): Promise<VolumeAnswer> {
    const { claims, classes, twins } = this.#deps;
    if (!claims.synced || !classes.synced) throw new CodedError('Unavailable', 'the agent is starting');
    const origin = { cluster: peerId, namespace: request.namespace };
    const twin = { name: twinNamespaceName(origin), origin };
    const present = this.#find(peerId, uid);
    if (present !== undefined) return this.#answer(peerId, present, { uid, request, twin });
    const closed = this.#deps.whyClosed(peerId);
    if (closed !== undefined) return refused('room', 'PeerClosed', `the provider makes no volumes now: ${closed}`);
    if (twins.nameOf(origin) !== twin.name)
      return refused(
        'later',
        'FormerTwin',
        'pods of an earlier version are in the way on the provider; end them first',
      );
    // Asked a second time while the first is under way.
    if (this.#promised.has(`${twin.name}/${twinClaimName(uid)}`)) return { state: 'Pending', message: '' };
    const verdict = judgeVolume(peerId, request, this.#view());
    if (!('class' in verdict)) return verdict;
    const node = usableNodes(this.#deps.nodes.list())[0]?.metadata.name;
    const wanted = toTwinClaim({ ...origin, uid }, request, { namespace: twin.name, class: verdict.class, node });
    return this.#promised.during(
      wanted,
      () => this.#make(wanted, twin),
      ({ state }) => state !== 'Refused',
    );
  }

  async #make(wanted: PersistentVolumeClaim, twin: Twin): Promise<VolumeAnswer> {
    const refusal = await this.#deps.twins.ensure(twin);
    if (refusal !== undefined) return refused('room', refusal.reason, refusal.message);
    try {
      return answerFor(await this.#deps.client.create(PERSISTENT_VOLUME_CLAIMS, wanted), '');
    } catch (error) {
      if (isAlreadyExists(error)) return { state: 'Pending', message: '' };
      if (isForbidden(error) || isInvalid(error)) return refused('policy', 'RefusedByProvider', messageOf(error));
      throw error;
    }
  }

  /** True when nothing is left of it. */
  async delete(peerId: string, uid: string): Promise<boolean> {
    const { claims, client } = this.#deps;
    if (!claims.synced) throw new CodedError('Unavailable', 'the agent is starting');
    const claim = this.#find(peerId, uid);
    if (claim === undefined) return true;
    const { namespace, name, uid: own, deletionTimestamp } = claim.metadata;
    if (deletionTimestamp === undefined)
      await client
        .delete(PERSISTENT_VOLUME_CLAIMS, { namespace, name }, own === undefined ? {} : { uid: own })
        .catch(ignoreGone);
    return false;
  }

  /** Why a pod cannot have its claims here; undefined when it can. */
  refusalOf(
    peerId: string,
    twin: string,
    pod: { namespace: string; claims: readonly PodClaim[] },
  ): Refusal | undefined {
    const owner = { cluster: peerId, namespace: pod.namespace };
    for (const { name, uid } of pod.claims) {
      const claim = this.#deps.claims.get(`${twin}/${twinClaimName(uid)}`);
      if (claim !== undefined && isClaimOf(claim, { ...owner, uid })) continue;
      if (!this.#deps.claims.synced)
        return { accepted: false, kind: 'later', reason: 'Starting', message: 'the agent is starting' };
      const message = `the volume of claim ${name} is not on the provider`;
      return { accepted: false, kind: 'policy', reason: 'VolumeMissing', message };
    }
    return undefined;
  }

  async #answer(
    peerId: string,
    claim: PersistentVolumeClaim,
    { uid, request, twin }: { uid: string; request: VolumeRequest; twin: Twin },
  ): Promise<VolumeAnswer> {
    if (claim.metadata.namespace !== twin.name || !isClaimOf(claim, { ...twin.origin, uid }))
      throw new CodedError('Conflict', `another claim of this member has the UID ${uid} on the provider`);
    const known = this.#known().find((one) => objectKey(one) === objectKey(claim)) ?? claim;
    const more = request.bytes - requestedBytes(known);
    if (more > 0 && claim.metadata.deletionTimestamp === undefined) {
      const refusal = refusalOfMore(peerId, more, this.#view()) ?? (await this.#expand(claim, request.bytes));
      if (refusal !== undefined) return refusal;
      return { state: 'Pending', message: 'the volume is being made larger' };
    }
    const message = claim.status?.phase === 'Bound' ? '' : await latestEventOf(this.#deps.client, claim);
    return answerFor(claim, message);
  }

  #expand(claim: PersistentVolumeClaim, bytes: number): Promise<ReturnType<typeof refused> | undefined> {
    const { namespace, name } = claim.metadata;
    const requests = { storage: storageQuantity(bytes) };
    const patch = async () => {
      try {
        const spec = { resources: { requests } };
        await this.#deps.client.patch(PERSISTENT_VOLUME_CLAIMS, { namespace, name }, { spec });
        return undefined;
      } catch (error) {
        if (isForbidden(error) || isInvalid(error)) return refused('policy', 'CannotExpand', messageOf(error));
        throw error;
      }
    };
    const wanted = { ...claim, spec: { ...claim.spec, resources: { ...claim.spec.resources, requests } } };
    return this.#promised.during(wanted, patch, (refusal) => refusal === undefined);
  }

  #find(peerId: string, uid: string): PersistentVolumeClaim | undefined {
    const name = twinClaimName(uid);
    return this.#deps.claims
      .list()
      .find((claim) => claim.metadata.name === name && claim.metadata.labels?.[ORIGIN_CLUSTER_LABEL] === peerId);
  }

  #view(): StorageView {
    const { classes, settings } = this.#deps;
    return { claims: this.#known(), classes: classes.list(), settings: settings() };
  }

  /** All claims of guests, those that are being made included. */
  #known(): PersistentVolumeClaim[] {
    return this.#promised.with(this.#deps.claims.list().filter(isOfGuest));
  }
}

type Refusal = Extract<PodVerdict, { accepted: false }>;

function isOfGuest(claim: PersistentVolumeClaim | undefined): boolean {
  return claim?.metadata.labels?.[ORIGIN_CLUSTER_LABEL] !== undefined;
}
