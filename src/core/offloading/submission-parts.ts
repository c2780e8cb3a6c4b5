import type { PodSubmission } from '../exchange/pod-submission.ts';
import type { ConfigObject } from '../kube-objects.ts';
import { isTokenSecretName } from '../reflection/reflected-object.ts';

/** A pod that, with all that it names, is too large for one message: some of that goes ahead. */
export interface SubmissionParts {
  /** Each as large as a message may be, at most, and without anything else than the pod and some objects. */
  ahead: PodSubmission[];
  last: PodSubmission;
}

/** Objects together with less than this are sent without a look at their size. */
const SMALL_BYTES = 1024 * 1024;

/** Undefined: there is nothing that can go ahead, or an object is too large even alone. @param maxBytes of a message */
export function submissionParts(submission: PodSubmission, maxBytes: number): SubmissionParts | undefined {
  if (roughBytes(submission.objects) < SMALL_BYTES) return { ahead: [], last: submission };
  const { pod, virtualNode, hostIP, fencing } = submission;
  const bare = {
    pod,
    virtualNode,
    ...(hostIP === undefined ? {} : { hostIP }),
    ...(fencing && { fencing }),
    objects: [],
  };
  const last: PodSubmission = { ...submission, objects: [], ahead: [] };
  const room = maxBytes - bytesOf(bare);
  let lastRoom = maxBytes - bytesOf(last);
  const parts: { objects: ConfigObject[]; left: number }[] = [];
  for (const object of inOrder(submission.objects)) {
    const bytes = bytesOf(object) + 1;
    if (bytes <= lastRoom) {
      last.objects.push(object);
      lastRoom -= bytes;
      continue;
    }
    if (bytes > room || isTokenSecretName(object.metadata.name)) return undefined;
    const open = parts.find(({ left }) => left >= bytes);
    if (open === undefined) parts.push({ objects: [object], left: room - bytes });
    else {
      open.objects.push(object);
      open.left -= bytes;
    }
    const { kind, metadata } = object;
    const reference = { kind, name: metadata.name };
    last.ahead?.push(reference);
    lastRoom -= bytesOf(reference) + 1;
  }
  if (lastRoom < 0) return undefined;
  if (parts.length === 0) return { ahead: [], last: submission };
  return { ahead: parts.map(({ objects }) => ({ ...bare, objects })), last };
}

/** Tokens go with the pod itself; of the others the small ones, so that little goes ahead. */
function inOrder(objects: readonly ConfigObject[]): ConfigObject[] {
  const weight = (object: ConfigObject): number =>
    isTokenSecretName(object.metadata.name) ? -1 : roughBytes([object]);
  return objects
    .map((object) => ({ object, weight: weight(object) }))
    .sort((a, b) => a.weight - b.weight)
    .map(({ object }) => object);
}

function roughBytes(objects: readonly ConfigObject[]): number {
  let bytes = 0;
  for (const { data, binaryData } of objects)
    for (const value of Object.values({ ...data, ...binaryData })) bytes += value.length;
  return bytes;
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
