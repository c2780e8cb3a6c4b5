import type { SentService, ServiceProblem } from './sent-service.ts';

/** What one member may have of Services here, in all its namespaces. */
export interface ServiceLimits {
  services: number;
  endpoints: number;
}

/**
 * Those of the Services of one namespace that its member may have here, in the order in which they came, and why it may not have
 * the others. @param used what it has in its other namespaces
 */
export function withinLimits(
  services: readonly SentService[],
  used: ServiceLimits,
  limits: ServiceLimits,
): { kept: SentService[]; problems: ServiceProblem[] } {
  const kept: SentService[] = [];
  const problems: ServiceProblem[] = [];
  let left = { services: limits.services - used.services, endpoints: limits.endpoints - used.endpoints };
  for (const service of services) {
    const after = { services: left.services - 1, endpoints: left.endpoints - endpointsOf(service) };
    const short = after.services < 0 ? 'services' : after.endpoints < 0 ? 'endpoints' : undefined;
    if (short === undefined) {
      kept.push(service);
      left = after;
      continue;
    }
    const message = `there would be more than ${limits[short]} ${short} of this cluster there, which is the limit for one member (guests.perMember.${short} of its Federation)`;
    problems.push({
      service: service.name,
      reason: short === 'services' ? 'TooManyServices' : 'TooManyEndpoints',
      message,
    });
  }
  return { kept, problems };
}

/** What Services take of these limits. */
export function usageOf(services: readonly SentService[]): ServiceLimits {
  return { services: services.length, endpoints: services.reduce((sum, one) => sum + endpointsOf(one), 0) };
}

function endpointsOf({ endpoints }: SentService): number {
  return endpoints.reduce((sum, group) => sum + group.endpoints.length, 0);
}
