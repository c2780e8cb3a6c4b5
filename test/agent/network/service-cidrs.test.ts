import { expect, test } from 'vitest';
import { readServiceCidrs } from '../../../src/agent/network/service-cidrs.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';

/** An API server that answers with these networks, or with an error. */
function clusterWith(answer: string[][] | number): Pick<KubeClient, 'list'> {
  const list = () =>
    typeof answer === 'number'
      ? Promise.reject(new ApiError(answer, {}))
      : Promise.resolve({ items: answer.map((cidrs) => ({ spec: { cidrs } })), resourceVersion: '1' });
  return { list } as unknown as Pick<KubeClient, 'list'>;
}

test('gives the IPv4 networks of all kinds of Services, each once', async () => {
  const cluster = clusterWith([['10.96.0.0/12', 'fd00:10:96::/112'], ['10.64.0.0/16'], ['10.96.0.0/12']]);
  expect(await readServiceCidrs(cluster)).toEqual(['10.64.0.0/16', '10.96.0.0/12']);
});

test.each([404, 403])(
  'knows none where the API server answers %i: it is older, or its rules for the agent are',
  async (status) => {
    expect(await readServiceCidrs(clusterWith(status))).toEqual([]);
  },
);

test('does not take a failure for none', async () => {
  await expect(readServiceCidrs(clusterWith(500))).rejects.toThrow('500');
});
