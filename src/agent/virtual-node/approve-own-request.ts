import type { Condition, KubeObject } from '../../core/kube-objects.ts';
import type { KubeClient } from '../../kube/client.ts';
import { CERTIFICATE_SIGNING_REQUESTS } from '../../kube/resources.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';

interface RequestObject extends KubeObject {
  spec: { username?: string; signerName?: string; groups?: string[] };
  status?: { conditions?: Condition[] };
}

/**
 * Approves the serving certificate request of one of our own virtual nodes, where the cluster has nobody who does (k0s has)
 * and the optional role manifests/optional/csr-approver.yaml gives the right. Without the right nothing happens.
 */
export async function approveOwnRequest(
  deps: { client: KubeClient; node: string; clock: Clock; logger: Logger },
  name: string,
): Promise<void> {
  const { client, node, clock, logger } = deps;
  if (!(await mayApprove(client))) {
    logger.info({ node, request: name }, 'waiting for the approval of the serving certificate by the cluster');
    return;
  }
  const request = await client.get<RequestObject>(CERTIFICATE_SIGNING_REQUESTS, { name });
  const { username, signerName } = request.spec;
  if (username !== `system:node:${node}` || signerName !== 'kubernetes.io/kubelet-serving') return;
  if ((request.status?.conditions ?? []).length > 0) return;
  const now = toKubeTime(clock.now());
  const approval = {
    type: 'Approved',
    status: 'True',
    reason: 'HeadcutVirtualNode',
    message: 'requested by a virtual node of this agent',
  };
  await client.replace(
    CERTIFICATE_SIGNING_REQUESTS,
    {
      ...request,
      status: {
        ...request.status,
        conditions: [{ ...approval, lastUpdateTime: now, lastTransitionTime: now } as Condition],
      },
    },
    'approval',
  );
}

async function mayApprove(client: KubeClient): Promise<boolean> {
  const attributes = {
    group: 'certificates.k8s.io',
    resource: 'signers',
    verb: 'approve',
    name: 'kubernetes.io/kubelet-serving',
  };
  const review = (await client.request('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: attributes },
    },
  })) as { status?: { allowed?: boolean } };
  return review.status?.allowed === true;
}
