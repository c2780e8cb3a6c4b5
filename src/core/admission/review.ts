import type { KubeObject, Pod } from '../kube-objects.ts';
import type { AddOperation } from './add-operation.ts';
import { planDaemonSetMutation } from './plan-daemon-set-mutation.ts';
import { type Offloading, planPodMutation } from './plan-pod-mutation.ts';

/** The webhooks by their path: a namespace with the label, one with an Offloading object, DaemonSets. */
export type ReviewPath = '/pods/labelled' | '/pods/by-object' | '/daemon-sets';

export const REVIEW_PATHS: readonly ReviewPath[] = ['/pods/labelled', '/pods/by-object', '/daemon-sets'];

/** The part of an AdmissionReview that is read. */
export interface ReviewRequest {
  uid: string;
  namespace?: string;
  object: KubeObject;
}

/** An admission.k8s.io/v1 AdmissionReview, as it is sent back. */
export interface ReviewAnswer {
  apiVersion: 'admission.k8s.io/v1';
  kind: 'AdmissionReview';
  response: { uid: string; allowed: true; patchType?: 'JSONPatch'; patch?: string };
}

/** The request in an AdmissionReview; undefined when it is none. */
export function parseReviewRequest(body: unknown): ReviewRequest | undefined {
  const request = (body as { request?: Partial<ReviewRequest> } | null)?.request;
  const { uid, object } = request ?? {};
  if (typeof uid !== 'string' || typeof (object?.metadata ?? undefined) !== 'object') return undefined;
  return request as ReviewRequest;
}

/** What to change; the object is always allowed. @param offloadingOf the Offloading of a namespace, once they are all known */
export function planReview(
  path: ReviewPath,
  { namespace = '', object }: ReviewRequest,
  offloadingOf: (namespace: string) => Offloading | undefined,
): AddOperation[] {
  switch (path) {
    case '/daemon-sets':
      return planDaemonSetMutation(object);
    case '/pods/labelled':
    case '/pods/by-object':
      return planPodMutation(object as Pod, {
        labelled: path === '/pods/labelled',
        offloading: offloadingOf(namespace),
      });
  }
}

export function reviewAnswer({ uid }: ReviewRequest, operations: readonly AddOperation[]): ReviewAnswer {
  const patch =
    operations.length === 0
      ? {}
      : { patchType: 'JSONPatch' as const, patch: Buffer.from(JSON.stringify(operations)).toString('base64') };
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, allowed: true, ...patch } };
}
