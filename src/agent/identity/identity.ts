import { X509Certificate } from 'node:crypto';
import type { KubeObject } from '../../core/kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../../core/labels.ts';
import { clusterIdOf } from '../../core/membership/cluster-id.ts';
import { clusterIdOfCertificate } from '../../core/membership/member-keys.ts';
import { isAlreadyExists, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SECRETS } from '../../kube/resources.ts';
import type { Clock } from '../../runtime/clock.ts';
import { createSelfSigned, type KeyAndCertificate } from '../../runtime/x509.ts';

/** Key and certificate of this member; the cluster ID is the fingerprint of its first key. */
export interface Identity extends KeyAndCertificate {
  id: string;
  /** DER in base64, as records carry it. */
  certificateDer: string;
}

/** The Secret that holds it, in the agent's namespace. */
export const IDENTITY_SECRET = 'headcut-identity';
/** The certificate is only a container of the key: far longer than any cluster lives, with room for clocks that are wrong. */
const VALID_YEARS = 30;
const YEAR_MS = 365 * 86_400_000;

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

/** Reads the identity, or makes it at the first start. Two racing starts end with the same one: the Secret is created once. */
export async function loadIdentity(
  client: Pick<KubeClient, 'get' | 'create'>,
  namespace: string,
  clock: Clock,
): Promise<Identity> {
  const stored = await read(client, namespace);
  if (stored !== undefined) return stored;
  const pair = await createSelfSigned(clusterIdOf, validityFrom(clock.now()));
  const secret: SecretObject = {
    metadata: { name: IDENTITY_SECRET, namespace, labels: { [MANAGED_BY_LABEL]: MANAGED_BY } },
    type: 'kubernetes.io/tls',
    data: { 'tls.key': encode(pair.key), 'tls.crt': encode(pair.certificate) },
  };
  try {
    await client.create(SECRETS, secret);
    return toIdentity(pair);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return (await read(client, namespace)) ?? toIdentity(pair);
  }
}

/** Of a certificate that is made now. */
export function validityFrom(now: number): { from: Date; to: Date } {
  return { from: new Date(now - YEAR_MS), to: new Date(now + VALID_YEARS * YEAR_MS) };
}

async function read(client: Pick<KubeClient, 'get'>, namespace: string): Promise<Identity | undefined> {
  try {
    const { data = {} } = await client.get<SecretObject>(SECRETS, { namespace, name: IDENTITY_SECRET });
    const { 'tls.key': key = '', 'tls.crt': certificate = '' } = data;
    return toIdentity({ key: decode(key), certificate: decode(certificate) });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** What a key and its certificate make of the member that has them. */
export function toIdentity(pair: KeyAndCertificate): Identity {
  const parsed = new X509Certificate(pair.certificate);
  return { ...pair, id: clusterIdOfCertificate(parsed), certificateDer: parsed.raw.toString('base64') };
}

const encode = (text: string): string => Buffer.from(text).toString('base64');
const decode = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
