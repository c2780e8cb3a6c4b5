import { CodedError } from '../coded-error.ts';
import type { Pod } from '../kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../labels.ts';
import { isTerminal } from '../pod-phase.ts';
import type { NetworkClaim } from './network-claim.ts';
import { contains, formatPrefix, mapAddress, type Prefix, parseIpv4, parsePrefix } from './prefix.ts';
import { shareOut } from './share-out.ts';

/** What the addresses of another member mean to its pods that run here: what they mean there. */
export interface GuestHome {
  /** Its pods here, by the addresses that they have here. */
  guests: string[];
  /** Its pod network, and the image of that, of the same size. */
  podCidr: string;
  prefix: string;
  /** Its Services, by their addresses there. */
  services: HomeService[];
}

/** A Service of another member, by its address there. */
export interface HomeService {
  home: string;
  /** The address of the same Service here. */
  here: string;
  /** Nothing is behind it, which is told to who calls it. */
  empty: boolean;
}

/** What the node takes, within the size of what is asked of it: what a member has more of goes without, and nobody else does. */
const MAX_HOMES = 1_000;
/** Of all homes. */
const MAX_GUESTS = 4_000;
const MAX_SERVICES = 8_000;
/** Of one home. */
const MAX_SERVICES_OF_HOME = 4_000;

/** What is known on this node of the pods of others, and of where they come from. */
export interface HomesObservation {
  pods: readonly Pod[];
  podCidr: Prefix;
  isHere(nodeName: string): boolean;
  /** The member of whose namespace this one is the twin: what a label of a pod says counts there alone. */
  twinOf(namespace: string): string | undefined;
  claimOf(member: string): NetworkClaim | undefined;
  servicesOf(member: string): readonly HomeService[];
}

/** The homes of the pods that run here for others, by their IDs. */
export function guestHomes(observed: HomesObservation): Map<string, GuestHome> {
  const guests = new Map<string, Set<string>>();
  for (const [address, members] of guestsByAddress(observed)) {
    const [member = '', ...more] = members;
    // Of two members' pods that show one address, as after a restart of the machine, nobody knows yet whose it is.
    if (more.length === 0) guests.set(member, (guests.get(member) ?? new Set()).add(address));
  }
  const homes = [...guests.keys()].sort().flatMap((member): [string, GuestHome][] => {
    const claim = observed.claimOf(member);
    if (claim === undefined) return [];
    const { podCidr, prefix } = claim;
    const addresses = [...(guests.get(member) ?? [])].sort();
    const services = observed.servicesOf(member).slice(0, MAX_SERVICES_OF_HOME);
    return [[member, { guests: addresses, podCidr, prefix, services }]];
  });
  return new Map(withinLimits(homes.slice(0, MAX_HOMES)));
}

function withinLimits(homes: readonly [string, GuestHome][]): [string, GuestHome][] {
  const all = homes.map(([, home]) => home);
  const guests = shareOut(
    all.map((home) => home.guests),
    MAX_GUESTS,
  );
  const services = shareOut(
    all.map((home) => home.services),
    MAX_SERVICES,
  );
  return homes.map(([member, home], index) => [
    member,
    { ...home, guests: guests[index] ?? [], services: services[index] ?? [] },
  ]);
}

/** What an address is called by the pods of a home, and the other way round. */
export interface HomeAddressing {
  home: GuestHome;
  /** The pod network of this cluster and its image. */
  own: Pick<NetworkClaim, 'podCidr' | 'prefix'>;
  /** Where pods of others are bridged, pods have the addresses here that they have. */
  bridged?: boolean;
  /** Networks that mean to pods of others what they mean here (core/network/plan-homes). */
  local?: readonly string[];
}

/** The address by which pods of a home know what has this one here; the same one where it means the same to them. */
export function toHomeAddress(here: string, { home, own, bridged = false, local = [] }: HomeAddressing): string {
  const service = home.services.find((one) => one.here === here)?.home;
  const there = service ?? (bridged ? undefined : moved(here, home.prefix, home.podCidr));
  if (there !== undefined) return isWithin(local, there) ? here : there;
  // By its image everybody reaches a pod here, whatever else means what.
  return bridged ? here : (moved(here, own.podCidr, own.prefix) ?? here);
}

/** The address here of what pods of a home know by this one. */
export function toHereAddress(there: string, { home, own, bridged = false, local = [] }: HomeAddressing): string {
  const image = bridged ? undefined : moved(there, own.prefix, own.podCidr);
  if (image !== undefined) return image;
  if (isWithin(local, there)) return there;
  const service = home.services.find((one) => one.home === there)?.here;
  return service ?? (bridged ? there : (moved(there, home.podCidr, home.prefix) ?? there));
}

function isWithin(networks: readonly string[], address: string): boolean {
  const number = parseIpv4(address);
  return number !== undefined && networks.some((network) => contains(parsePrefix(network), number));
}

function moved(address: string, from: string, to: string): string | undefined {
  return mapAddress(address, parsePrefix(from), parsePrefix(to));
}

function guestsByAddress({ pods, podCidr, isHere, twinOf }: HomesObservation): Map<string, Set<string>> {
  const owners = new Map<string, Set<string>>();
  for (const { metadata, spec, status } of pods) {
    const member = metadata.labels?.[ORIGIN_CLUSTER_LABEL];
    const { nodeName, hostNetwork } = spec as { nodeName?: string; hostNetwork?: boolean };
    const address = status?.podIP ?? '';
    if (member === undefined || twinOf(metadata.namespace ?? '') !== member || isTerminal(status)) continue;
    if (nodeName === undefined || !isHere(nodeName) || hostNetwork === true) continue;
    if (contains(podCidr, parseIpv4(address) ?? -1))
      owners.set(address, (owners.get(address) ?? new Set()).add(member));
  }
  return owners;
}

/** Reads what the agent wants; throws InvalidArgument. All of it gets into rules, and is written anew. */
export function parseGuestHomes(value: unknown): GuestHome[] {
  check(Array.isArray(value) && value.length <= MAX_HOMES, 'homes');
  const homes = (value as GuestHome[]).map(parseGuestHome);
  const guests = homes.flatMap((home) => home.guests);
  check(guests.length <= MAX_GUESTS && new Set(guests).size === guests.length, 'guests');
  check(homes.reduce((sum, home) => sum + home.services.length, 0) <= MAX_SERVICES, 'services');
  return homes;
}

function parseGuestHome({ guests, podCidr, prefix, services }: GuestHome): GuestHome {
  check(Array.isArray(guests) && guests.every(isAddress), 'guests');
  check(Array.isArray(services) && services.length <= MAX_SERVICES_OF_HOME, 'services');
  check(
    services.every(({ home, here, empty }) => isAddress(home) && isAddress(here) && typeof empty === 'boolean'),
    'services',
  );
  check(new Set(services.map(({ home }) => home)).size === services.length, 'services');
  const [from, to] = [parsePrefix(String(podCidr)), parsePrefix(String(prefix))];
  check(from.length === to.length, 'prefix');
  return {
    guests: [...guests],
    podCidr: formatPrefix(from),
    prefix: formatPrefix(to),
    services: services.map(({ home, here, empty }) => ({ home, here, empty })),
  };
}

function isAddress(told: unknown): boolean {
  return typeof told === 'string' && parseIpv4(told) !== undefined;
}

function check(holds: boolean, field: string): void {
  if (!holds) throw new CodedError('InvalidArgument', `the homes of pods here have no valid ${field}`);
}
