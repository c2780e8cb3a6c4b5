import type { NetworkView } from '../../core/membership/network-status.ts';
import { type GuestHome, type HomeAddressing, toHereAddress, toHomeAddress } from '../../core/network/guest-homes.ts';
import type { NetworkClaim } from '../../core/network/network-claim.ts';
import type { TunnelReport } from '../../core/network/node-network.ts';
import type { PacketPath } from '../../core/network/path.ts';
import type { PeerNetwork } from '../../core/network/plan-network.ts';
import { contains, mapAddress, parseIpv4, parsePrefix } from '../../core/network/prefix.ts';
import type { Refusal } from '../../core/network/refusal.ts';
import type { GuestAddress, HomeAddresses, PeerAddresses, PodAddresses } from '../ports.ts';

export interface NetworkStateDeps {
  /** The claim in the own record. */
  ownClaim(): NetworkClaim | undefined;
  /** How packets travel to a peer. */
  pathTo(peerId: string): PacketPath | undefined;
  isPathSettled(peerId: string): boolean;
}

const NO_WAY: Refusal = {
  reason: 'NoWay',
  message:
    'the member answers neither by UDP nor through its peer port, or its tunnel is not up; is UDP open there, and its agent running?',
};

/** What is known of the pod network: addresses for other features, and what to show. Written by Network alone. */
export class NetworkState implements PodAddresses, PeerAddresses, HomeAddresses {
  /** Why this cluster takes no part, if so. */
  refused: Refusal | undefined;
  /** What went wrong in the last look, for people. */
  failure: string | undefined;
  report: TunnelReport | undefined;
  peers: ReadonlyMap<string, PeerNetwork> = new Map();
  /** Of the members whose pods run here, as the node holds it: what their addresses mean to these. */
  homes: ReadonlyMap<string, GuestHome> = new Map();
  /** The networks here that mean to them what they mean here, as the node holds them. */
  local: readonly string[] = [];
  readonly #deps: NetworkStateDeps;
  readonly #listeners: ((peerId: string) => void)[] = [];
  /** WireGuard keys of peers whose tunnel has worked. */
  readonly #met = new Set<string>();
  /** What was told last, by peer ID (empty for the own part): addresses are used by many, and change seldom. */
  readonly #told = new Map<string, string>();
  #settled = false;

  constructor(deps: NetworkStateDeps) {
    this.#deps = deps;
  }

  /** Also a look that failed tells: there is no network now, and what there is may be shown. */
  get synced(): boolean {
    return this.#settled || this.failure !== undefined;
  }

  memberOf(image: string): string | undefined {
    const address = parseIpv4(image);
    if (address === undefined) return undefined;
    for (const [id, peer] of this.peers) {
      if ('claim' in peer && contains(parsePrefix(peer.claim.prefix), address)) return id;
    }
    return undefined;
  }

  toImage(local: string): string | undefined {
    const claim = this.#ownClaim();
    return claim === undefined ? undefined : mapAddress(local, parsePrefix(claim.podCidr), parsePrefix(claim.prefix));
  }

  toLocal(image: string): string | undefined {
    const claim = this.#ownClaim();
    return claim === undefined ? undefined : mapAddress(image, parsePrefix(claim.prefix), parsePrefix(claim.podCidr));
  }

  toHome(guest: GuestAddress, here: string): string {
    const addressing = this.#addressingOf(guest);
    return addressing === undefined ? here : toHomeAddress(here, addressing);
  }

  toHere(guest: GuestAddress, there: string): string {
    const addressing = this.#addressingOf(guest);
    return addressing === undefined ? there : toHereAddress(there, addressing);
  }

  /** By guest: the rules follow a moment after its address is seen, and one may be left out. */
  #addressingOf({ member, address }: GuestAddress): HomeAddressing | undefined {
    const [home, own] = [this.homes.get(member), this.#ownClaim()];
    if (own === undefined || home?.guests.includes(address) !== true) return undefined;
    return { home, own, bridged: this.report?.bridged === true, local: this.local };
  }

  imageOf(peerId: string, local: string): string | null | undefined {
    if (!this.#settled) return undefined;
    const peer = this.peers.get(peerId);
    if (this.refused !== undefined || peer === undefined || 'refused' in peer) return null;
    const { claim } = peer;
    // A new pod shows its address when the tunnel works; one that showed it already keeps it.
    if (!this.#met.has(claim.publicKey)) return undefined;
    return mapAddress(local, parsePrefix(claim.podCidr), parsePrefix(claim.prefix)) ?? null;
  }

  onChange(listener: (peerId: string) => void): void {
    this.#listeners.push(listener);
  }

  /** A look was taken to its end: what it found is told. */
  settle(): void {
    this.#settled = true;
    const handshakes = this.report?.peers.filter((peer) => peer.handshakeAt !== undefined) ?? [];
    for (const { publicKey } of handshakes) this.#met.add(publicKey);
    const { podCidr, prefix } = this.#ownClaim() ?? {};
    this.#tell('', [podCidr, prefix]);
    for (const [id, peer] of this.peers) {
      const { claim } = 'claim' in peer ? peer : {};
      this.#tell(id, claim === undefined ? [] : [claim.podCidr, claim.prefix, this.#met.has(claim.publicKey)]);
    }
    for (const id of this.#told.keys()) if (id !== '' && !this.peers.has(id)) this.#tell(id, []);
  }

  /** How the own part stands; undefined until that is known. */
  ownView(): NetworkView | undefined {
    if (!this.#settled && this.failure === undefined) return undefined;
    if (this.refused !== undefined) return { ready: false, problem: this.refused };
    const { prefix } = this.#deps.ownClaim() ?? {};
    if (prefix === undefined) return undefined;
    if (this.failure !== undefined)
      return { ready: false, prefix, problem: { reason: 'NodeNetworkFailed', message: this.failure } };
    return { ready: true, prefix, tunnels: this.report?.kind ?? 'kernel' };
  }

  /** How the network with a peer stands; undefined until that is known. */
  peerView(peerId: string): NetworkView | undefined {
    if (!this.#settled) return undefined;
    if (this.refused !== undefined) return { ready: false, problem: this.refused };
    const peer = this.peers.get(peerId);
    if (peer === undefined) return undefined;
    if ('refused' in peer) return { ready: false, problem: peer.refused };
    const { prefix, publicKey } = peer.claim;
    const path = this.#deps.pathTo(peerId);
    if (path !== undefined && this.#met.has(publicKey)) return { ready: true, prefix, path };
    return this.#deps.isPathSettled(peerId) ? { ready: false, prefix, problem: NO_WAY } : undefined;
  }

  #ownClaim(): NetworkClaim | undefined {
    return this.refused === undefined ? this.#deps.ownClaim() : undefined;
  }

  #tell(id: string, facts: unknown[]): void {
    const told = JSON.stringify(facts);
    if (this.#told.get(id) === told) return;
    this.#told.set(id, told);
    for (const listener of this.#listeners) listener(id);
  }
}
