import { type MemberOverview, memberOverview, type Problem, problemsOf } from '../explain/overview.ts';
import { nodeOfPeer, type World } from '../explain/world.ts';
import type { PendingMember } from '../membership/peer-object.ts';

/** One other member, for the map and the table. */
export interface MemberView extends MemberOverview {
  /** Name of the member that carries the connection, where there is no direct way. */
  via?: string;
  /** No new pods go there: somebody drained it. */
  drained: boolean;
}

/** What the console shows of the federation: this member, the others, and what is wrong, that first. */
export interface FederationView {
  self: { name: string; id: string; version?: string; endpoints: string[]; podNetwork?: string };
  problems: Problem[];
  members: MemberView[];
  /** Newcomers that wait for approval. */
  pending: PendingMember[];
  /** Peers are asked to move their pods away from here. */
  maintenance: boolean;
}

export function federationView(world: World): FederationView {
  const { id = '', name = '', version, endpoints = [], network, pending } = world.federation.status ?? {};
  const members = world.peers.map((peer): MemberView => {
    const node = nodeOfPeer(world, peer.spec.id);
    const { via } = peer.status ?? {};
    return {
      ...memberOverview(world, peer),
      ...(typeof via === 'string' ? { via } : {}),
      drained: node?.spec?.unschedulable === true,
    };
  });
  return {
    self: {
      ...{ id, name, endpoints },
      ...(version === undefined ? {} : { version }),
      ...(typeof network?.prefix === 'string' ? { podNetwork: network.prefix } : {}),
    },
    problems: problemsOf(world, members),
    members,
    pending: pending ?? [],
    maintenance: world.federation.spec?.maintenance === true,
  };
}
