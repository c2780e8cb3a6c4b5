import type { KubeObject } from '../../core/kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../../core/labels.ts';
import { createWireGuardKeys, publicKeyOf, type WireGuardKeys } from '../../core/network/wireguard-key.ts';
import { isAlreadyExists, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SECRETS } from '../../kube/resources.ts';

/** The Secret with this member's WireGuard key, in the agent's namespace. Deleting it and restarting the agent makes a new key. */
export const NETWORK_SECRET = 'headcut-network';
const KEY = 'privateKey';

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

/** Reads the key, or makes it at the first start. Two racing starts end with the same one: the Secret is created once. */
export async function loadNetworkKey(
  client: Pick<KubeClient, 'get' | 'create'>,
  namespace: string,
): Promise<WireGuardKeys> {
  const stored = await read(client, namespace);
  if (stored !== undefined) return stored;
  const keys = createWireGuardKeys();
  const secret: SecretObject = {
    metadata: { name: NETWORK_SECRET, namespace, labels: { [MANAGED_BY_LABEL]: MANAGED_BY } },
    type: 'Opaque',
    data: { [KEY]: Buffer.from(keys.privateKey).toString('base64') },
  };
  try {
    await client.create(SECRETS, secret);
    return keys;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return (await read(client, namespace)) ?? keys;
  }
}

async function read(client: Pick<KubeClient, 'get'>, namespace: string): Promise<WireGuardKeys | undefined> {
  try {
    const { data } = await client.get<SecretObject>(SECRETS, { namespace, name: NETWORK_SECRET });
    const privateKey = Buffer.from(data?.[KEY] ?? '', 'base64').toString('utf8');
    return { privateKey, publicKey: publicKeyOf(privateKey) };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
