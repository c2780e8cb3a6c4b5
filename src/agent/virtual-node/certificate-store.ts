import type { KubeObject } from '../../core/kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../../core/labels.ts';
import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SECRETS } from '../../kube/resources.ts';
import type { KeyAndCertificate } from '../../runtime/x509.ts';

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

export type CertificateUse = 'client' | 'serving';

/** Keeps the certificates of virtual nodes in Secrets of the agent's namespace, so that a restart orders none. */
export class CertificateStore {
  readonly #client: Pick<KubeClient, 'get' | 'apply' | 'delete'>;
  readonly #namespace: string;

  constructor(client: Pick<KubeClient, 'get' | 'apply' | 'delete'>, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async load(node: string, use: CertificateUse): Promise<KeyAndCertificate | undefined> {
    try {
      const secret = await this.#client.get<SecretObject>(SECRETS, {
        namespace: this.#namespace,
        name: secretName(node, use),
      });
      const { 'tls.key': key, 'tls.crt': certificate } = secret.data ?? {};
      if (key === undefined || certificate === undefined) return undefined;
      return { key: decode(key), certificate: decode(certificate) };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async save(node: string, use: CertificateUse, pair: KeyAndCertificate): Promise<void> {
    const secret: SecretObject = {
      metadata: { name: secretName(node, use), namespace: this.#namespace, labels: { [MANAGED_BY_LABEL]: MANAGED_BY } },
      type: 'kubernetes.io/tls',
      data: { 'tls.key': encode(pair.key), 'tls.crt': encode(pair.certificate) },
    };
    await this.#client.apply(SECRETS, secret, { force: true });
  }

  async remove(node: string): Promise<void> {
    for (const use of ['client', 'serving'] as const) {
      await this.#client.delete(SECRETS, { namespace: this.#namespace, name: secretName(node, use) }).catch((error) => {
        if (!isNotFound(error)) throw error;
      });
    }
  }
}

function secretName(node: string, use: CertificateUse): string {
  return `${node}-${use}-certificate`;
}

const encode = (text: string): string => Buffer.from(text).toString('base64');
const decode = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
