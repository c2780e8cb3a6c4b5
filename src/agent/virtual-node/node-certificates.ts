import type { KubeClient } from '../../kube/client.ts';
import { backoffDelayMs, RECONCILE_BACKOFF } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { KeyAndCertificate } from '../../runtime/x509.ts';
import type { CertificateStore, CertificateUse } from './certificate-store.ts';
import { isCertificateFor, orderCertificate, renewalTime } from './signed-certificate.ts';

export interface NodeCertificatesDeps {
  node: string;
  ip: string;
  client: KubeClient;
  connectAs(pair: KeyAndCertificate): KubeClient;
  store: CertificateStore;
  /** Approvers want the address of a serving certificate to stand in the Node's status first. */
  addressShown(): boolean;
  onClient(): void;
  onServing(pair: KeyAndCertificate): void;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
}

export interface NodeCertificates {
  /** API access as the node; undefined until its certificate is there. */
  client: KubeClient | undefined;
}

/** setTimeout's limit is 24.8 days; looking once a day is enough for certificates of a year. */
const LONGEST_WAIT_MS = 24 * 3_600_000;

/** Gets both certificates of a virtual node, from the store or by orders, and renews them until the signal aborts. */
export function startNodeCertificates(deps: NodeCertificatesDeps): NodeCertificates {
  const result: NodeCertificates = { client: undefined };
  void keep(
    deps,
    'client',
    async (pair) => {
      const former = result.client;
      result.client = deps.connectAs(pair);
      deps.onClient();
      await former?.close();
    },
    () =>
      orderCertificate(
        deps,
        {
          signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
          usages: ['digital signature', 'client auth'],
          node: deps.node,
          ip: [],
        },
        deps.signal,
      ),
  );
  void keep(
    deps,
    'serving',
    async (pair) => deps.onServing(pair),
    async () => {
      while (result.client === undefined || !deps.addressShown()) await deps.clock.sleep(200, deps.signal);
      return orderCertificate(
        { client: result.client, clock: deps.clock },
        {
          signerName: 'kubernetes.io/kubelet-serving',
          usages: ['digital signature', 'server auth'],
          node: deps.node,
          ip: [deps.ip],
        },
        deps.signal,
      );
    },
  );
  return result;
}

async function keep(
  deps: NodeCertificatesDeps,
  use: CertificateUse,
  use_: (pair: KeyAndCertificate) => Promise<void>,
  order: () => Promise<KeyAndCertificate>,
): Promise<void> {
  const { clock, store, node, logger, signal } = deps;
  let failures = 0;
  let current: string | undefined;
  while (!signal.aborted) {
    try {
      const stored = await store.load(node, use);
      const fresh = stored !== undefined && isUsable(deps, use, stored);
      const pair = fresh ? stored : await order();
      if (!fresh) await store.save(node, use, pair);
      if (pair.certificate !== current) await use_(pair);
      current = pair.certificate;
      failures = 0;
      await clock.sleep(
        Math.min(LONGEST_WAIT_MS, Math.max(60_000, renewalTime(pair.certificate) - clock.now())),
        signal,
      );
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      logger.warn({ node, use, failures, err: error }, 'no certificate yet');
      await clock.sleep(backoffDelayMs(RECONCILE_BACKOFF, failures, 0.5), signal).catch(() => {});
    }
  }
}

function isUsable(deps: NodeCertificatesDeps, use: CertificateUse, pair: KeyAndCertificate): boolean {
  if (renewalTime(pair.certificate) <= deps.clock.now()) return false;
  return use === 'client' || isCertificateFor(pair.certificate, deps.ip);
}
