import type { PodClaim } from '../exchange/volume.ts';
import type { Pod, PodSpec, Volume } from '../kube-objects.ts';
import { type PersistentVolume, type PersistentVolumeClaim, placeOfVolume, twinClaimName } from './volume-objects.ts';

/** Claims of pods: which they are, where their data is, and what they are called on a provider. */

/** The name of the claim that a volume of a pod is, by itself or by its template; undefined for other volumes. */
export function claimNameOf(volume: Volume, podName: string): string | undefined {
  const { persistentVolumeClaim, ephemeral } = volume as {
    persistentVolumeClaim?: { claimName?: string };
    ephemeral?: object;
  };
  if (persistentVolumeClaim?.claimName !== undefined) return persistentVolumeClaim.claimName;
  return ephemeral === undefined ? undefined : `${podName}-${volume.name}`;
}

/** Names of all claims of a pod, each once. */
export function claimNamesOf({ metadata, spec }: Pick<Pod, 'metadata' | 'spec'>): string[] {
  const names = (spec.volumes ?? []).map((volume) => claimNameOf(volume, metadata.name));
  return [...new Set(names.filter((name) => name !== undefined))];
}

/** A pod as it is sent: what a template of it made is a claim by then. */
export function withNamedClaims(pod: Pod): Pod {
  if (pod.spec.volumes?.some(({ ephemeral }) => ephemeral !== undefined) !== true) return pod;
  const volumes = pod.spec.volumes.map((volume) => {
    const { ephemeral, ...rest } = volume;
    if (ephemeral === undefined) return volume;
    return { ...rest, persistentVolumeClaim: { claimName: claimNameOf(volume, pod.metadata.name) } };
  });
  return { ...pod, spec: { ...pod.spec, volumes } };
}

/** The claims of a pod, with their UIDs; undefined while one of them is not there. */
export function podClaimsOf(
  pod: Pick<Pod, 'metadata' | 'spec'>,
  claimOf: (name: string) => PersistentVolumeClaim | undefined,
): PodClaim[] | undefined {
  const claims = claimNamesOf(pod).map((name) => ({ name, uid: claimOf(name)?.metadata.uid }));
  if (claims.some(({ uid }) => uid === undefined)) return undefined;
  return claims.map(({ name, uid = '' }) => ({ name, uid }));
}

/** Claims that are not the home's are called by a name that nothing has: a guest reads nothing that its home did not name. */
const NO_CLAIM = 'volume-of-nobody';

/** The spec on the provider, whose claims have the names of the twin namespace. */
export function withTwinClaims(spec: PodSpec, claims: readonly PodClaim[] = []): PodSpec {
  if (spec.volumes === undefined) return spec;
  const volumes = spec.volumes.map((volume) => {
    const { persistentVolumeClaim: named } = volume as { persistentVolumeClaim?: { claimName?: string } };
    if (named === undefined) return volume;
    const found = claims.find(({ name }) => name === named.claimName);
    const claimName = found === undefined ? NO_CLAIM : twinClaimName(found.uid);
    return { ...volume, persistentVolumeClaim: { ...named, claimName } };
  });
  return { ...spec, volumes };
}

/** What is known of claims and volumes of this cluster. */
export interface VolumeView {
  claimOf(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volumeOf(name: string): PersistentVolume | undefined;
}

/** The volumes of a pod that are on one member alone. */
export function pinsOf(pod: Pod, view: VolumeView): { claim: string; volume: PersistentVolume }[] {
  const { namespace = '' } = pod.metadata;
  return claimNamesOf(pod).flatMap((claim) => {
    const name = view.claimOf(namespace, claim)?.spec.volumeName ?? '';
    const volume = name === '' ? undefined : view.volumeOf(name);
    return volume?.spec.nodeAffinity === undefined ? [] : [{ claim, volume }];
  });
}

/** The members that have data of a pod, by ID. */
export function placesOf(pod: Pod, view: VolumeView): string[] {
  const places = pinsOf(pod, view).map(({ volume }) => placeOfVolume(volume)?.peerId);
  return [...new Set(places.filter((place) => place !== undefined))];
}
