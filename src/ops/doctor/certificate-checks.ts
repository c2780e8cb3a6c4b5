import { X509Certificate } from 'node:crypto';
import { duration } from '../../core/explain/age.ts';
import type { KubeObject } from '../../core/kube-objects.ts';
import { AGENT_NAMESPACE } from '../../core/membership/join-secrets.ts';
import { isForbidden } from '../../kube/api-error.ts';
import { SECRETS } from '../../kube/resources.ts';
import { type Check, type Finding, failed, ok, skipped, warning } from './check.ts';

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/;
/** They are renewed after four fifths of their life; one that is nearly over was not. */
const NEARLY_OVER_SHARE = 0.1;

/** The agent's own key and the certificates of virtual nodes, by their dates alone; keys are not looked at. */
const certificates: Check = {
  id: 'certificates',
  title: 'Certificates',
  aboutPeers: false,
  run: async ({ client, clock }) => {
    let items: KubeObject[];
    try {
      ({ items } = await client.list(SECRETS, { namespace: AGENT_NAMESPACE }));
    } catch (error) {
      if (isForbidden(error)) return [skipped('you may not read Secrets in headcut-system')];
      throw error;
    }
    const found = items.flatMap(({ metadata, data }) =>
      Object.values((data ?? {}) as Record<string, string>).flatMap((value) => {
        const pem = PEM.exec(Buffer.from(value, 'base64').toString('utf8'))?.[0];
        return pem === undefined ? [] : [judge(metadata.name, new X509Certificate(pem), clock.now())];
      }),
    );
    const wrong = found.filter((one) => one.verdict !== 'ok');
    if (found.length === 0) return [skipped('there are none yet')];
    return wrong.length > 0 ? wrong : [ok(`all ${found.length} are valid`)];
  },
};

function judge(name: string, certificate: X509Certificate, now: number): Finding {
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  const fix = 'the agent renews it by itself: see headcut logs, and kubectl get csr for requests that nobody approves';
  if (now > to) return failed(`the one in Secret ${name} ended ${duration(now - to)} ago`, fix);
  if (now < from)
    return failed(`the one in Secret ${name} is valid only in ${duration(from - now)}`, 'set the clock of the node');
  if (to - now < (to - from) * NEARLY_OVER_SHARE)
    return warning(`the one in Secret ${name} ends in ${duration(to - now)}`, fix);
  return ok(`the one in Secret ${name} is valid`);
}

export const CERTIFICATE_CHECKS: Check[] = [certificates];
