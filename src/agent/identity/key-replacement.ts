import { X509Certificate } from 'node:crypto';
import type { KubeObject } from '../../core/kube-objects.ts';
import { clusterIdOf } from '../../core/membership/cluster-id.ts';
import { successionUri } from '../../core/membership/member-keys.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SECRETS } from '../../kube/resources.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import { createSelfSigned, type KeyAndCertificate } from '../../runtime/x509.ts';
import { IDENTITY_SECRET, type Identity, toIdentity, validityFrom } from './identity.ts';
import { RECORD_KEY } from './identity-memory.ts';

/** The last replacement of the key, kept beside it. */
interface Replacement {
  /** What it was asked for by: the same request makes no second key. */
  request: string;
  /** RFC 3339. */
  at: string;
}

/** A key that is to take over, and the Secret as it was when it was made. */
export interface NextKey extends Identity {
  replacement: Replacement;
  resourceVersion: string | undefined;
}

type SecretObject = KubeObject & { data?: Record<string, string> };

const REPLACEMENT_KEY = 'replacement.json';
/** Members pin keys and take no notice of dates; members of before protocol 4, and tools, do. */
const RENEW_AFTER_SHARE = 0.8;

/**
 * Replaces this member's key. The new one, what the old one signed about it and the record that announces it are kept in one
 * write, before anybody sees them: an agent that ends before that has the old key, one that ends after it has the new one.
 */
export class KeyReplacement {
  readonly #client: Pick<KubeClient, 'get' | 'patch'>;
  readonly #namespace: string;
  readonly #identity: Identity;
  readonly #clock: Clock;
  #last: Replacement | undefined;

  private constructor(
    client: Pick<KubeClient, 'get' | 'patch'>,
    own: { namespace: string; identity: Identity; clock: Clock },
    last: Replacement | undefined,
  ) {
    this.#client = client;
    this.#namespace = own.namespace;
    this.#identity = own.identity;
    this.#clock = own.clock;
    this.#last = last;
  }

  /** @param own its `identity` is what changes, in place */
  static async load(
    client: Pick<KubeClient, 'get' | 'patch'>,
    own: { namespace: string; identity: Identity; clock: Clock },
  ): Promise<KeyReplacement> {
    const secret = await client.get<SecretObject>(SECRETS, { namespace: own.namespace, name: IDENTITY_SECRET });
    return new KeyReplacement(client, own, replacementOf(secret));
  }

  /** When the present key took over; undefined for the first one. */
  replacedAt(): string | undefined {
    return this.#last?.at;
  }

  /** What to ask for a key by when the certificate has lived for most of its time; undefined before that. */
  dueRequest(): string | undefined {
    const { validFrom, validTo } = new X509Certificate(this.#identity.certificate);
    const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
    return this.#clock.now() < from + (to - from) * RENEW_AFTER_SHARE ? undefined : `certificate-until-${validTo}`;
  }

  /**
   * The key of this request: made now, or the one that was kept for it when nobody heard of that. Undefined when it is in use.
   * Throws FailedPrecondition when no key can follow any more.
   */
  async next(request: string): Promise<NextKey | undefined> {
    const secret = await this.#client.get<SecretObject>(SECRETS, {
      namespace: this.#namespace,
      name: IDENTITY_SECRET,
    });
    const { resourceVersion } = secret.metadata;
    const stored = { key: decode(secret.data?.['tls.key']), certificate: decode(secret.data?.['tls.crt']) };
    const last = replacementOf(secret);
    if (last?.request === request) {
      if (stored.certificate === this.#identity.certificate) return undefined;
      return { ...toIdentity(stored), replacement: last, resourceVersion };
    }
    const replacement = { request, at: toKubeTime(this.#clock.now()) };
    return { ...toIdentity(await this.#follow(stored)), replacement, resourceVersion };
  }

  /** One write, and only if nobody else wrote since `next`. @param record the own record as the new key signed it */
  async keep({ key, certificate, replacement, resourceVersion }: NextKey, record: PeerRecord): Promise<void> {
    const data = {
      'tls.key': encode(key),
      'tls.crt': encode(certificate),
      [REPLACEMENT_KEY]: encode(JSON.stringify(replacement)),
      [RECORD_KEY]: encode(JSON.stringify(record)),
    };
    const metadata = resourceVersion === undefined ? {} : { metadata: { resourceVersion } };
    await this.#client.patch(SECRETS, { namespace: this.#namespace, name: IDENTITY_SECRET }, { data, ...metadata });
  }

  /** From now on. */
  use({ key, certificate, certificateDer, replacement }: NextKey): void {
    Object.assign(this.#identity, { key, certificate, certificateDer });
    this.#last = replacement;
  }

  /** It is valid from when the first one was: the clock of this node may be wrong. */
  #follow({ key, certificate }: KeyAndCertificate): Promise<KeyAndCertificate> {
    const { from, to } = validityFrom(this.#clock.now());
    const before = Date.parse(new X509Certificate(certificate).validFrom);
    const validity = { from: new Date(Math.min(before, from.getTime())), to };
    return createSelfSigned(clusterIdOf, validity, (publicKey) => successionUri(certificate, key, publicKey));
  }
}

function replacementOf({ data }: SecretObject): Replacement | undefined {
  const encoded = data?.[REPLACEMENT_KEY];
  return encoded === undefined ? undefined : (JSON.parse(decode(encoded)) as Replacement);
}

const encode = (text: string): string => Buffer.from(text).toString('base64');
const decode = (text = ''): string => Buffer.from(text, 'base64').toString('utf8');
