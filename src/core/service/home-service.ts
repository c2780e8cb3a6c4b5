import { HOME_ADDRESS_ANNOTATION } from '../labels.ts';
import type { HomeService } from '../network/guest-homes.ts';
import { parseIpv4 } from '../network/prefix.ts';
import type { EndpointSlice, Service } from './service-objects.ts';

/** The IPv4 address of a Service in its own cluster; undefined where it has none. */
export function addressOfService({ spec = {} }: Service): string | undefined {
  const { clusterIP, clusterIPs } = spec as { clusterIP?: string; clusterIPs?: string[] };
  return [clusterIP, ...(clusterIPs ?? [])].find((one) => one !== undefined && parseIpv4(one) !== undefined);
}

/** What a copy of another member's Service says of that one's address; undefined where there is none on either side. */
export function homeServiceOf(copy: Service, answered: boolean): HomeService | undefined {
  const home = copy.metadata.annotations?.[HOME_ADDRESS_ANNOTATION];
  const here = addressOfService(copy);
  if (home === undefined || parseIpv4(home) === undefined || here === undefined) return undefined;
  return { home, here, empty: !answered };
}

/** Whether a service proxy has somewhere to lead to: those that end serve where nobody else does. */
export function isAnswered({ endpoints, addressType }: EndpointSlice): boolean {
  return (
    addressType === 'IPv4' &&
    (endpoints ?? []).some(({ conditions = {} }) => {
      const ready = conditions.ready ?? true;
      return ready || (conditions.serving ?? ready);
    })
  );
}
