import { describe, expect, test } from 'vitest';
import { PodTokens } from '../../../src/agent/offloading/pod-tokens.ts';
import type { Pod } from '../../../src/core/kube-objects.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { SimulatedTime } from '../../sim/simulated-time.ts';

const pod: Pod = {
  metadata: { name: 'p', namespace: 'n', uid: 'u' },
  spec: {
    containers: [{ name: 'c' }],
    volumes: [
      { name: 't', projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 8_640_000 } }] } },
    ],
  },
};

/** How many tokens are asked for within `ms`, where the API server gives such as end at `expires`. */
async function tokensWithin(ms: number, expires: (now: number) => string, leave = () => true): Promise<number> {
  const time = new SimulatedTime();
  let asked = 0;
  const node = {
    create: async () => {
      asked += 1;
      return { metadata: { name: 'default' }, status: { token: 't', expirationTimestamp: expires(time.clock.now()) } };
    },
  } as unknown as Pick<KubeClient, 'create'>;
  const tokens = new PodTokens({
    deliver: async () => {},
    leave,
    clock: time.clock,
    random: () => 0,
    logger: silentLogger,
  });
  const stop = new AbortController();
  const running = tokens.controller.run(stop.signal);
  await tokens.request(node, pod);
  tokens.keep(pod, node);
  await time.pass(ms);
  stop.abort();
  await running;
  return asked;
}

const inMs = (ms: number) => (now: number) => new Date(now + ms).toISOString();

describe('tokens of a pod are renewed', () => {
  test('at half of their life, also when that is longer than a timer can be', async () => {
    const life = 8_640_000_000;
    expect(await tokensWithin(life / 2 - 1_000, inMs(life))).toBe(1);
    expect(await tokensWithin(life / 2 + 1_000, inMs(life))).toBe(2);
  });

  test.each([
    ['have ended already, as the clocks differ', inMs(-3_600_000)],
    ['end at once', inMs(0)],
    ['end at no time that can be read', () => 'never'],
  ])('once a minute at most, also when those that the API server gives %s', async (_what, expires) => {
    expect(await tokensWithin(600_000, expires)).toBeLessThan(13);
  });
});

test('tokens that stay at home are not even asked for', async () => {
  expect(await tokensWithin(600_000, inMs(600_000), () => false)).toBe(0);
});
