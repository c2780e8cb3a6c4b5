import { OFFLOAD_LABEL, ORIGIN_CLUSTER_LABEL } from '../labels.ts';
import type { ReviewPath } from './review.ts';

/** The MutatingWebhookConfiguration that manifests/optional/webhook.yaml makes, without webhooks. */
export const WEBHOOK_CONFIGURATION = 'headcut-offload';

/** An agent that is away must not hold up the making of pods. */
const TIMEOUT_SECONDS = 2;

/** @param url where the API server reaches the agent, without a path @param caBundle PEM in base64 */
export function toWebhooks(url: string, caBundle: string): object[] {
  const webhook = (name: string, path: ReviewPath, rest: object): object => ({
    name: `${name}.headcut.dev`,
    clientConfig: { url: `${url}${path}`, caBundle },
    // What was not changed simply stays at home.
    failurePolicy: 'Ignore',
    matchPolicy: 'Equivalent',
    reinvocationPolicy: 'Never',
    sideEffects: 'None',
    timeoutSeconds: TIMEOUT_SECONDS,
    admissionReviewVersions: ['v1'],
    ...rest,
  });
  const noTwin = { key: ORIGIN_CLUSTER_LABEL, operator: 'DoesNotExist' };
  const namespaces = (operator: string): object => ({
    matchExpressions: [noTwin, { key: OFFLOAD_LABEL, operator, values: ['true'] }],
  });
  const rules = (apiGroup: string, resource: string, operations: string[]): object[] => [
    { apiGroups: [apiGroup], apiVersions: ['v1'], resources: [resource], operations, scope: 'Namespaced' },
  ];
  const pods = { rules: rules('', 'pods', ['CREATE']) };
  return [
    webhook('offload-labelled', '/pods/labelled', { ...pods, namespaceSelector: namespaces('In') }),
    webhook('offload-by-object', '/pods/by-object', { ...pods, namespaceSelector: namespaces('NotIn') }),
    webhook('daemon-sets', '/daemon-sets', { rules: rules('apps', 'daemonsets', ['CREATE', 'UPDATE']) }),
  ];
}
