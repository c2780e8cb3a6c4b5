import { describe, expect, it } from 'vitest';
import { createApiServers } from '../../../src/agent/network/api-servers.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { jumpingClock } from '../../jumping-clock.ts';

describe('where the API server is', () => {
  it('is what was known while it does not answer, and asked anew when that is old', async () => {
    const clock = jumpingClock();
    let addresses: string[] | undefined;
    const get = async () => {
      if (addresses === undefined) throw new Error('the API server is away');
      return { metadata: { name: 'kubernetes' }, endpoints: [{ addresses }] };
    };
    const apiServers = createApiServers({ get } as unknown as Pick<KubeClient, 'get'>, clock);
    await expect(apiServers()).rejects.toThrow('away');
    addresses = ['192.0.2.1'];
    expect(await apiServers()).toEqual(['192.0.2.1/32']);
    addresses = undefined;
    await clock.sleep(20 * 60_000);
    expect(await apiServers()).toEqual(['192.0.2.1/32']);
    addresses = ['192.0.2.2'];
    expect(await apiServers()).toEqual(['192.0.2.2/32']);
  });
});
