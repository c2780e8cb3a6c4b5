import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../src/core/kube-objects.ts';
import { parseQuantity, quantityFrom } from '../../src/core/quantities/quantity.ts';
import { PODS } from '../../src/kube/resources.ts';
import { adminClient, freshNamespace } from './cluster.ts';

const client = adminClient();
afterAll(() => client.close());

describe('a quantity', () => {
  let namespace = '';
  beforeAll(async () => {
    namespace = await freshNamespace(client);
  });

  const asked = async (memory: string): Promise<string | undefined> => {
    const pod: Pod = {
      metadata: { name: 'p', namespace },
      spec: { containers: [{ name: 'c', image: 'x', resources: { requests: { memory } } }] },
    };
    const made = await client.create(PODS, pod, { dryRun: true });
    return made.spec.containers[0]?.resources?.requests?.memory;
  };

  test.each(['1.5Gi', '1e3', '1E3', '.5k', '5.', '+5', '1e-2', '100m', '1n', '64Mi', '7E', '3Ei', '0'])(
    'such as %s is the amount that the API server takes it for',
    async (text) => {
      expect(quantityFrom(text)).toBe(parseQuantity((await asked(text)) ?? ''));
    },
  );

  test.each(['', '1.2.3', '1 Gi', '1e', '1e1.5', '1ki', '1K', '0x10', '1_000', '--1', 'Infinity', 'NaN'])(
    'is not what the API server refuses: "%s"',
    async (text) => {
      await expect(asked(text)).rejects.toThrow();
      expect(quantityFrom(text)).toBeUndefined();
    },
  );

  test('below zero is taken by no API server for a request', async () => {
    await expect(asked('-1')).rejects.toThrow('must be greater than or equal to 0');
  });
});
