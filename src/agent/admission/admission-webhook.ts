import type { Offloading } from '../../core/admission/plan-pod-mutation.ts';
import { toWebhooks, WEBHOOK_CONFIGURATION } from '../../core/admission/webhooks.ts';
import { messageOf } from '../../core/coded-error.ts';
import type { KubeObject } from '../../core/kube-objects.ts';
import { isForbidden, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { Discovery } from '../../kube/discovery.ts';
import { Reflector } from '../../kube/reflector.ts';
import { MUTATING_WEBHOOK_CONFIGURATIONS, OFFLOADINGS } from '../../kube/resources.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createServingCertificate } from '../../runtime/x509.ts';
import { createWebhookServer, type WebhookServer } from './webhook-server.ts';

export interface AdmissionWebhookDeps {
  client: KubeClient;
  /** Where the API server reaches the agent. */
  host: string;
  port: number;
  clock: Clock;
  logger: Logger;
}

const POLICY = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'MutatingAdmissionPolicy',
  metadata: { name: '' },
};
/** An API server may be upgraded, and others may change the configuration. */
const LOOK_AGAIN_MS = 60_000;
const DAY_MS = 86_400_000;
const CERTIFICATE_VALID_MS = 90 * DAY_MS;
const RENEW_AFTER_MS = 30 * DAY_MS;
/** Tolerance for clocks that differ. */
const BACKDATE_MS = 3_600_000;

/**
 * Does what the admission policies do, where the API server does not serve these (before Kubernetes 1.36). It needs the
 * rights and the empty configuration of manifests/optional/webhook.yaml; where it may not, pods simply stay at home.
 */
export class AdmissionWebhook {
  readonly #deps: AdmissionWebhookDeps;
  readonly #offloadings: Reflector<Offloading>;
  #serving: { server: WebhookServer; caBundle: string; renewAtMs: number } | undefined;
  #told = '';

  constructor(deps: AdmissionWebhookDeps) {
    this.#deps = deps;
    this.#offloadings = new Reflector<Offloading>({ ...deps, type: OFFLOADINGS });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    let watching: Promise<void> | undefined;
    while (!signal.aborted) {
      try {
        if (await this.#hasPolicies()) await this.#withdraw();
        else {
          watching ??= this.#offloadings.run(signal);
          await this.#serve();
        }
      } catch (error) {
        if (!signal.aborted) logger.warn({ err: error }, 'the admission webhook is not set up');
      }
      await clock.sleep(LOOK_AGAIN_MS, signal).catch(() => {});
    }
    await this.#serving?.server.close();
    await watching;
  }

  /** Discovery is asked anew each time, since it remembers. */
  async #hasPolicies(): Promise<boolean> {
    return (await new Discovery(this.#deps.client).typeOf(POLICY)) !== undefined;
  }

  async #serve(): Promise<void> {
    const { host, port, clock } = this.#deps;
    const now = clock.now();
    if (this.#serving === undefined || now >= this.#serving.renewAtMs) {
      const validity = { from: new Date(now - BACKDATE_MS), to: new Date(now + CERTIFICATE_VALID_MS) };
      const pair = await createServingCertificate(host, validity);
      const server =
        this.#serving?.server ??
        createWebhookServer(pair, (namespace) => this.#offloadings.get(`${namespace}/offloading`));
      if (this.#serving === undefined) await server.listen(host, port);
      else server.renew(pair);
      const caBundle = Buffer.from(pair.certificate).toString('base64');
      this.#serving = { server, caBundle, renewAtMs: now + RENEW_AFTER_MS };
    }
    const address = host.includes(':') ? `[${host}]` : host;
    await this.#configure(toWebhooks(`https://${address}:${port}`, this.#serving.caBundle));
  }

  /** After an upgrade of the API server the policies do it. */
  async #withdraw(): Promise<void> {
    await this.#configure([]);
    await this.#serving?.server.close();
    this.#serving = undefined;
  }

  /** Writes only what differs. */
  async #configure(webhooks: object[]): Promise<void> {
    const { client, logger } = this.#deps;
    try {
      const name = WEBHOOK_CONFIGURATION;
      const present = (await client.get(MUTATING_WEBHOOK_CONFIGURATIONS, { name })) as KubeObject & {
        webhooks?: { clientConfig?: { url?: string; caBundle?: string } }[];
      };
      if (sameClients(present.webhooks ?? [], webhooks)) return;
      await client.patch(MUTATING_WEBHOOK_CONFIGURATIONS, { name }, { webhooks });
      logger.info({ webhooks: webhooks.length }, 'admission webhooks configured');
    } catch (error) {
      if (!isNotFound(error) && !isForbidden(error)) throw error;
      // With policies there is nothing to configure, and no right to look.
      if (webhooks.length > 0) this.#tellOnce(messageOf(error));
    }
  }

  #tellOnce(message: string): void {
    if (message === this.#told) return;
    this.#told = message;
    this.#deps.logger.warn(
      { message },
      'this API server serves no MutatingAdmissionPolicy, and the webhook may not be configured: apply manifests/optional/webhook.yaml',
    );
  }
}

function sameClients(present: readonly object[], wanted: readonly object[]): boolean {
  const clients = (webhooks: readonly object[]): string =>
    JSON.stringify(
      webhooks.map((webhook) => {
        const { clientConfig } = webhook as { clientConfig?: { url?: string; caBundle?: string } };
        return [clientConfig?.url, clientConfig?.caBundle];
      }),
    );
  return clients(present) === clients(wanted);
}
