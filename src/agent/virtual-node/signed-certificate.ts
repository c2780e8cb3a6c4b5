import { X509Certificate } from 'node:crypto';
import { CodedError } from '../../core/coded-error.ts';
import type { Condition, KubeObject } from '../../core/kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../../core/labels.ts';
import type { KubeClient } from '../../kube/client.ts';
import { CERTIFICATE_SIGNING_REQUESTS } from '../../kube/resources.ts';
import type { Clock } from '../../runtime/clock.ts';
import { createSigningRequest, type KeyAndCertificate } from '../../runtime/x509.ts';

interface SigningRequestObject extends KubeObject {
  status?: { certificate?: string; conditions?: Condition[] };
}

export interface CertificateOrder {
  signerName: 'kubernetes.io/kube-apiserver-client-kubelet' | 'kubernetes.io/kubelet-serving';
  usages: string[];
  node: string;
  ip: string[];
}

const POLL_MS = 500;
/** k0s's approver looks every 8 to 12 s; after a cold start the controllers may need half a minute. */
const SIGNED_WITHIN_MS = 120_000;

export interface OrderDeps {
  /** Whom the request comes from: the agent, or the node identity. */
  client: Pick<KubeClient, 'create' | 'get' | 'delete'>;
  clock: Clock;
}

/** Orders a certificate for `system:node:NODE` by a CertificateSigningRequest and waits for it. */
export async function orderCertificate(
  deps: OrderDeps,
  order: CertificateOrder,
  signal: AbortSignal,
): Promise<KeyAndCertificate> {
  const { client, clock } = deps;
  const subject = { commonName: `system:node:${order.node}`, organization: 'system:nodes' };
  const { key, request } = await createSigningRequest(subject, order.ip);
  const created = await client.create<SigningRequestObject>(CERTIFICATE_SIGNING_REQUESTS, {
    metadata: {
      generateName: `${order.node}-`,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY },
    } as unknown as KubeObject['metadata'],
    spec: { request: Buffer.from(request).toString('base64'), signerName: order.signerName, usages: order.usages },
  });
  const { name } = created.metadata;
  const start = clock.monotonic();
  while (clock.monotonic() - start < SIGNED_WITHIN_MS) {
    const { status = {} } = await client.get<SigningRequestObject>(CERTIFICATE_SIGNING_REQUESTS, { name }, signal);
    if (status.certificate !== undefined)
      return { key, certificate: Buffer.from(status.certificate, 'base64').toString('utf8') };
    const refused = status.conditions?.find((condition) => condition.type === 'Denied' || condition.type === 'Failed');
    if (refused !== undefined)
      throw new CodedError('Forbidden', `certificate request ${name}: ${refused.message ?? refused.type}`);
    await clock.sleep(POLL_MS, signal);
  }
  throw new CodedError(
    'Unavailable',
    `certificate request ${name} was not approved and signed in time; see kubectl describe csr ${name}`,
  );
}

/** When a certificate should be replaced: after four fifths of its life. Milliseconds since 1970. */
export function renewalTime(certificate: string): number {
  const parsed = new X509Certificate(certificate);
  const from = Date.parse(parsed.validFrom);
  return from + (Date.parse(parsed.validTo) - from) * 0.8;
}

/** True when the certificate names this IP address and is signed by one of the CA's certificates. */
export function isCertificateFor(certificate: string, ip: string): boolean {
  return new X509Certificate(certificate).checkIP(ip) !== undefined;
}
