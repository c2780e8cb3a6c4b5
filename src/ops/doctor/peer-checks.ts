import { messageOf } from '../../core/coded-error.ts';
import { duration } from '../../core/explain/age.ts';
import { heldBack } from '../../core/explain/overview.ts';
import { nodeOfPeer } from '../../core/explain/world.ts';
import type { PeerObject } from '../../core/membership/peer-object.ts';
import { isForbidden } from '../../kube/api-error.ts';
import { type Check, type CheckContext, type Finding, failed, ok, skipped, warning } from './check.ts';

function peersOf({ world, peer }: CheckContext): PeerObject[] {
  return world.peers.filter((one) => peer === undefined || one.metadata.name === peer);
}

/** One finding or more for each peer; says so when there are none. */
async function forEachPeer(
  context: CheckContext,
  look: (peer: PeerObject) => Finding[] | Promise<Finding[]>,
): Promise<Finding[]> {
  const peers = peersOf(context);
  if (peers.length === 0) return [skipped('there are no other members')];
  return (await Promise.all(peers.map(look))).flat();
}

const contact: Check = {
  id: 'contact',
  title: 'Contact with peers',
  aboutPeers: true,
  run: (context) =>
    forEachPeer(context, ({ metadata: { name }, status, spec }) => {
      const connected = status?.conditions?.find((one) => one.type === 'Connected');
      const roundTripMs = (status as { roundTripMs?: number } | undefined)?.roundTripMs;
      if (status?.state === 'Connected')
        return [ok(`${name} answers${roundTripMs === undefined ? '' : ` in ${roundTripMs} ms`}`)];
      const heard = typeof status?.lastSeen === 'string' ? Date.parse(status.lastSeen) : Number.NaN;
      const last = Number.isNaN(heard) ? '' : `, last heard of ${duration(context.world.now - heard)} ago`;
      const why = connected?.message === undefined ? '' : `: ${connected.message}`;
      const at = spec.endpoints.join(', ');
      return [
        failed(
          `${name} is ${(status?.state ?? 'not known yet').toLowerCase()}${last}${why}`,
          `see whether that cluster runs, and whether TCP ${at} can be reached from the node here (or port 7443 of this node from there)`,
        ),
      ];
    }),
};

const virtualNodes: Check = {
  id: 'virtual-nodes',
  title: 'Virtual nodes',
  aboutPeers: true,
  run: (context) =>
    forEachPeer(context, async (peer) => {
      const node = nodeOfPeer(context.world, peer.spec.id);
      const { name } = peer.metadata;
      if (node === undefined)
        return [
          peer.status?.state === 'Connected'
            ? warning(
                `${name} has none yet`,
                'it comes with the first offer; if it does not within a minute see headcut logs',
              )
            : skipped(`${name} has none: it has not been met since it joined`),
        ];
      const ready = node.status?.conditions?.find((one) => one.type === 'Ready');
      if (ready?.status !== 'True')
        return [
          failed(
            `${node.metadata.name} is not Ready: ${ready?.message ?? 'it has not said why'}`,
            `see headcut explain peer ${name}`,
          ),
        ];
      const held = heldBack(context.world, name, node);
      if (held !== undefined)
        return [
          warning(
            `${node.metadata.name} shows less than ${name} offers: ${held}`,
            `${name} refused pods for which it offers room, or did not keep them; kubectl get events -A says which, and a quota in a twin namespace there may be why`,
          ),
          ...(await kubeletPort(context, node.metadata.name)),
        ];
      return [ok(`${node.metadata.name} is Ready`), ...(await kubeletPort(context, node.metadata.name))];
    }),
};

/** The way of `kubectl logs` and `exec`: API server → the agent's port for that node, with a certificate of the cluster. */
async function kubeletPort({ client, signal }: CheckContext, node: string): Promise<Finding[]> {
  try {
    const { body } = await client.stream(`/api/v1/nodes/${node}/proxy/healthz`, { signal });
    body.resume();
    return [ok(`the API server reaches the port of ${node}, so kubectl logs and exec work`)];
  } catch (error) {
    if (isForbidden(error)) return [skipped(`the port of ${node}: you may not read nodes/proxy`)];
    return [
      failed(
        `the API server does not reach the port of ${node}: ${messageOf(error)}`,
        'see kubectl get csr for a certificate that waits for approval (Deployment headcut-approver; for serving certificates manifests/optional/csr-approver.yaml), and whether a firewall blocks ports from 10260 on',
      ),
    ];
  }
}

const network: Check = {
  id: 'pod-network',
  title: 'Pod network',
  aboutPeers: true,
  run: (context) => {
    const { status, spec } = context.world.federation;
    const settings = spec?.network as { enabled?: boolean } | undefined;
    if (settings?.enabled === false) return Promise.resolve([skipped('it is switched off in the Federation object')]);
    const problem = status?.conditions?.find((one) => one.type === 'NetworkReady' && one.status !== 'True');
    if (problem !== undefined)
      return Promise.resolve([
        failed(problem.message ?? 'it does not work', 'see kubectl -n headcut-system logs deploy/headcut -c network'),
      ]);
    const own = status?.conditions?.some((one) => one.type === 'NetworkReady');
    const made = own === true ? [ok('the tunnel and the packet rules (nft) of this node are in place')] : [];
    return forEachPeer(context, networkOf).then((found) => [...made, ...found]);
  },
};

function networkOf({ metadata: { name }, status }: PeerObject): Finding[] {
  const condition = status?.conditions?.find((one) => /Network|Tunnel/.test(one.type) && one.status === 'False');
  const path = status?.network?.path;
  if (condition !== undefined)
    return [failed(`${name}: ${condition.message}`, 'the message names what stands in the way')];
  if (status?.state !== 'Connected') return [skipped(`${name} is not connected`)];
  if (path === 'UDP') return [ok(`packets to ${name} travel by WireGuard over UDP`)];
  if (path === 'TLS')
    return [
      warning(
        `packets to ${name} travel through the peer port (TLS), which is slower: UDP does not get through`,
        'let UDP 51820 pass between the nodes of both clusters; the agent notices within half a minute',
      ),
    ];
  return [
    warning(
      `${name} takes no part in the pod network, or not yet`,
      `see kubectl get peer ${name} -o yaml on both sides`,
    ),
  ];
}

export const PEER_CHECKS: Check[] = [contact, virtualNodes, network];
