import type { Node } from '../core/kube-objects.ts';
import { PEER_LABEL } from '../core/labels.ts';
import type { PeerObject } from '../core/membership/peer-object.ts';
import type { KubeClient } from '../kube/client.ts';
import { NODES, PEERS } from '../kube/resources.ts';
import { explain, readFederation } from './cluster.ts';

/** One other member, as this cluster sees it. */
export interface MemberStatus {
  name: string;
  id: string;
  state: string;
  endpoints: string[];
  lastSeen?: string;
  problem?: string;
  virtualNode?: { name: string; ready: boolean; allocatable: Record<string, string> };
}

export interface FederationSummary {
  self: { id: string; name: string; endpoints: string[] };
  members: MemberStatus[];
}

/** All other members by name, from this cluster's own objects alone. */
export async function listPeers(client: KubeClient): Promise<MemberStatus[]> {
  try {
    const { items: peers } = await client.list<PeerObject>(PEERS);
    const { items: nodes } = await client.list<Node>(NODES, { query: { labelSelector: PEER_LABEL } });
    const byPeer = new Map(nodes.map((node) => [node.metadata.labels?.[PEER_LABEL], node]));
    return peers
      .map((peer) => toMemberStatus(peer, byPeer.get(peer.spec.id)))
      .sort((a, b) => a.name.localeCompare(b.name));
  } catch (error) {
    throw explain(error);
  }
}

/** This member and all others. */
export async function readStatus(client: KubeClient): Promise<FederationSummary> {
  const { status = {} } = await readFederation(client);
  const { id = '', name = '', endpoints = [] } = status;
  return { self: { id, name, endpoints }, members: await listPeers(client) };
}

function toMemberStatus(peer: PeerObject, node: Node | undefined): MemberStatus {
  const { spec, status = {}, metadata } = peer;
  const connected = status.conditions?.find((condition) => condition.type === 'Connected');
  const problem = connected?.status === 'True' ? undefined : connected?.message;
  return {
    name: metadata.name,
    id: spec.id,
    state: status.state ?? 'Unknown',
    endpoints: spec.endpoints,
    ...(typeof status.lastSeen === 'string' ? { lastSeen: status.lastSeen } : {}),
    ...(problem === undefined ? {} : { problem }),
    ...(node === undefined ? {} : { virtualNode: toVirtualNode(node) }),
  };
}

function toVirtualNode(node: Node): NonNullable<MemberStatus['virtualNode']> {
  const ready = node.status?.conditions?.find((condition) => condition.type === 'Ready')?.status === 'True';
  return { name: node.metadata.name, ready, allocatable: node.status?.allocatable ?? {} };
}
