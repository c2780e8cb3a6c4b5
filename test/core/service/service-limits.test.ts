import { expect, test } from 'vitest';
import type { SentService } from '../../../src/core/service/sent-service.ts';
import { usageOf, withinLimits } from '../../../src/core/service/service-limits.ts';

const service = (name: string, endpoints: number): SentService => ({
  name,
  type: 'ClusterIP',
  labels: {},
  ports: [],
  endpoints: [
    {
      ports: [],
      endpoints: Array.from({ length: endpoints }, () => ({
        address: '100.64.1.1',
        ready: true,
        serving: true,
        terminating: false,
      })),
    },
  ],
});

test('Services and endpoints over the limit of their member are left out one by one, each with a reason', () => {
  const services = [service('a', 1), service('b', 5), service('c', 2), service('d', 0)];
  const { kept, problems } = withinLimits(services, { services: 7, endpoints: 6 }, { services: 9, endpoints: 10 });
  expect(kept.map(({ name }) => name)).toEqual(['a', 'c']);
  expect(problems).toMatchObject([
    { service: 'b', reason: 'TooManyEndpoints' },
    { service: 'd', reason: 'TooManyServices' },
  ]);
  expect(usageOf(kept)).toEqual({ services: 2, endpoints: 3 });
});
