import type { GuestHome } from './guest-homes.ts';
import type { NodeNetwork } from './node-network.ts';

/**
 * Rules by which a guest's packets to its home's addresses go where they lead at home, per home. All packets of guests pass them,
 * whatever of its kind is connected beside (core/network/plan-guest-frames).
 *
 * Its home's pods are mapped with state, so that answers come from the address that was asked. Its home's Services are exchanged for
 * those here between connection tracking (-200), which so keeps the home's address and gives it back to answers, and service
 * proxies (-100), which see the address that they know.
 */
export function homeChains({ homes = [], local = [] }: Pick<NodeNetwork, 'homes' | 'local'>): string[] {
  if (homes.every(({ guests }) => guests.length === 0)) return [];
  return [
    ...homes.flatMap((home, index) => [
      ...chain(`home-${index}`, undefined, [...stays(local), toHome(home)]),
      ...chain(`home-services-${index}`, undefined, [...stays(local), ...refused(home), ...exchanged(home)]),
    ]),
    ...chain('home-services', 'filter hook prerouting priority -150', [byGuest(homes, 'home-services')]),
  ];
}

/** The rule of the nat chain before service proxies' own. */
export function homeRules({ homes = [] }: Pick<NodeNetwork, 'homes'>): string[] {
  return homes.some(({ guests }) => guests.length > 0) ? [byGuest(homes, 'home')] : [];
}

/**
 * Guests see all pods here as other members see them: by an image, which is what their home tells of its own, and none of the
 * addresses of pods at home. Their node comes as it is, as at home.
 */
export function guestSources({ homes = [], podCidr }: NodeNetwork, toImage: string): string[] {
  const guests = homes.flatMap((home) => home.guests).sort();
  if (guests.length === 0) return [];
  return [`ip daddr { ${guests.join(', ')} } ip saddr ${podCidr} fib saddr type != local ${toImage}`];
}

function byGuest(homes: readonly GuestHome[], to: string): string {
  const verdicts = homes.flatMap(({ guests }, index) => guests.map((guest) => `${guest} : jump ${to}-${index}`));
  return `ip saddr vmap { ${verdicts.sort().join(', ')} }`;
}

function stays(local: readonly string[]): string[] {
  return local.length === 0 ? [] : [`ip daddr { ${[...new Set(local)].sort().join(', ')} } return`];
}

function toHome({ podCidr, prefix }: GuestHome): string {
  return `ct original ip daddr ${podCidr} dnat ip prefix to ip daddr map { ${podCidr} : ${prefix} }`;
}

function exchanged({ services }: GuestHome): string[] {
  const pairs = services.flatMap(({ home, here, empty }) => (empty ? [] : [`${home} : ${here}`]));
  return pairs.length === 0 ? [] : [`ip daddr set ip daddr map { ${pairs.sort().join(', ')} }`];
}

/** A service proxy would refuse it too, but by the address that it has here, which the guest never asked. */
function refused({ services }: GuestHome): string[] {
  const empty = services.flatMap(({ home, empty }) => (empty ? [home] : []));
  return empty.length === 0 ? [] : [`ip daddr { ${empty.sort().join(', ')} } reject`];
}

function chain(name: string, hook: string | undefined, rules: string[]): string[] {
  const head = hook === undefined ? [] : [`    type ${hook}; policy accept;`];
  return [`  chain ${name} {`, ...head, ...rules.map((rule) => `    ${rule}`), '  }'];
}
