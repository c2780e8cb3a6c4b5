import type { Condition, KubeObject } from '../kube-objects.ts';
import { VIRTUAL_NODE_PREFIX } from '../labels.ts';
import { nodeOfRequest } from './signing-request.ts';

/** A CertificateSigningRequest. */
export interface SigningRequest extends KubeObject {
  spec: { request: string; signerName: string; username?: string; groups?: string[]; usages?: string[] };
  status?: { conditions?: Condition[]; certificate?: string };
}

export const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client-kubelet';
export const SERVING_SIGNER = 'kubernetes.io/kubelet-serving';

/** What is to become of a request. `leave`: it is none of ours, or done with. */
export type RequestVerdict =
  | { type: 'leave' }
  /** To be approved where there is no other node of this name. */
  | { type: 'approve'; node: string; signer: typeof CLIENT_SIGNER | typeof SERVING_SIGNER }
  | { type: 'deny'; message: string };

const LEAVE: RequestVerdict = { type: 'leave' };
const NODES_GROUP = 'system:nodes';
const USAGES = {
  [CLIENT_SIGNER]: ['client auth', 'digital signature'],
  [SERVING_SIGNER]: ['digital signature', 'server auth'],
};

/**
 * Judges a request for a certificate. The agent gets identities of virtual nodes (`headcut-…`) and no other certificate for a client;
 * virtual nodes get serving certificates for their own name and the address of this node. Whatever others ask for is left alone.
 * @param own the agent's user name, and the address of the node
 */
export function judgeRequest({ spec, status }: SigningRequest, own: { agent: string; hostIp: string }): RequestVerdict {
  if ((status?.conditions ?? []).length > 0 || status?.certificate !== undefined) return LEAVE;
  const text = Buffer.from(spec.request, 'base64').toString('latin1');
  if (spec.username === own.agent && spec.signerName === CLIENT_SIGNER) {
    const node = nodeOfRequest(text);
    if (node !== undefined && isVirtual(node) && hasUsages(spec, CLIENT_SIGNER))
      return { type: 'approve', node, signer: CLIENT_SIGNER };
    const message = `this agent gets certificates of virtual nodes (system:node:${VIRTUAL_NODE_PREFIX}…) and no others`;
    return { type: 'deny', message };
  }
  if (spec.signerName !== SERVING_SIGNER || !hasUsages(spec, SERVING_SIGNER)) return LEAVE;
  const node = nodeOfRequest(text, addressBytes(own.hostIp));
  if (node === undefined || !isVirtual(node) || spec.username !== `system:node:${node}`) return LEAVE;
  return spec.groups?.includes(NODES_GROUP) === true ? { type: 'approve', node, signer: SERVING_SIGNER } : LEAVE;
}

function isVirtual(node: string): boolean {
  return node.startsWith(VIRTUAL_NODE_PREFIX) && node.length > VIRTUAL_NODE_PREFIX.length;
}

function hasUsages({ usages = [] }: SigningRequest['spec'], signer: keyof typeof USAGES): boolean {
  return [...usages].sort().join() === USAGES[signer].join();
}

/** An IP address as certificates have it: 4 or 16 bytes. */
function addressBytes(address: string): Buffer {
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number));
  const [left = '', right] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const before = groups(left);
  const after = groups(right ?? '');
  const between = Array<string>(right === undefined ? 0 : 8 - before.length - after.length).fill('0');
  return Buffer.from([...before, ...between, ...after].map((group) => group.padStart(4, '0')).join(''), 'hex');
}
