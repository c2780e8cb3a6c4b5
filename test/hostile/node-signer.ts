import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { CERTIFICATE_SIGNING_REQUESTS } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';
const DAY_MS = 86_400_000;

interface SigningRequest extends KubeObject {
  spec: { request: string; signerName: string };
  status?: { certificate?: string };
}

/** What stands for headcut's approver and Kubernetes' signer: every request for the certificate of a node gets one. */
export class NodeSigner {
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #ca: x509.X509Certificate;
  readonly #begun = new Set<string>();

  private constructor(keys: webcrypto.CryptoKeyPair, ca: x509.X509Certificate) {
    this.#keys = keys;
    this.#ca = ca;
  }

  static async create(): Promise<NodeSigner> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const ca = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=nodes',
      ...validity(),
      signingAlgorithm: ALGORITHM,
      keys: keys as never,
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    });
    return new NodeSigner(keys, ca);
  }

  /** Flags of an API server that believes these certificates. */
  flags(folder: string): string[] {
    const file = join(folder, 'nodes.crt');
    writeFileSync(file, this.#ca.toString('pem'));
    return [`--client-ca-file=${file}`];
  }

  run(client: KubeClient, signal: AbortSignal): void {
    const requests = new Reflector<SigningRequest>({
      client,
      type: CERTIFICATE_SIGNING_REQUESTS,
      clock: systemClock,
      logger: silentLogger,
    });
    requests.onChange((_name, after) => {
      if (after !== undefined && after.status?.certificate === undefined) void this.#untilSigned(client, after);
    });
    void requests.run(signal);
  }

  async #untilSigned(client: KubeClient, request: SigningRequest): Promise<void> {
    // Each of its own changes comes back here.
    if (this.#begun.has(request.metadata.name)) return;
    this.#begun.add(request.metadata.name);
    for (let tries = 0; tries < 5; tries += 1) {
      try {
        return await this.#sign(client, request);
      } catch (error) {
        if (tries === 4) console.error('a certificate was not signed', error);
        await systemClock.sleep(200);
      }
    }
  }

  async #sign(client: KubeClient, { metadata: { name }, spec }: SigningRequest): Promise<void> {
    const request = new x509.Pkcs10CertificateRequest(Buffer.from(spec.request, 'base64').toString());
    const serving = spec.signerName.endsWith('serving');
    const names = request.extensions.find(({ type }) => type === SUBJECT_ALTERNATIVE_NAME);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: request.subject,
      issuer: this.#ca.subject,
      ...validity(),
      signingAlgorithm: ALGORITHM,
      publicKey: request.publicKey,
      signingKey: this.#keys.privateKey as never,
      extensions: [
        new x509.ExtendedKeyUsageExtension([
          serving ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
        ]),
        ...(names === undefined ? [] : [names]),
      ],
    });
    const now = new Date().toISOString();
    const approved = { type: 'Approved', status: 'True', reason: 'Test', message: '', lastUpdateTime: now };
    await client.patch(
      CERTIFICATE_SIGNING_REQUESTS,
      { name, subresource: 'approval' },
      { status: { conditions: [approved] } },
    );
    const encoded = Buffer.from(certificate.toString('pem')).toString('base64');
    await client.patch(
      CERTIFICATE_SIGNING_REQUESTS,
      { name, subresource: 'status' },
      { status: { certificate: encoded } },
    );
  }
}

function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + 365 * DAY_MS) };
}
