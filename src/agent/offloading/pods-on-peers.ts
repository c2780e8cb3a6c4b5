import type { Node, Pod } from '../../core/kube-objects.ts';
import { PEER_LABEL, VIRTUAL_NODE_PREFIX } from '../../core/labels.ts';
import type { Store } from '../../kube/store.ts';
import type { PodsOnPeers } from '../../peering/remote-pods.ts';

/** Counts what is asked for with every message of a peer. */
export function createPodsOnPeers({
  pods,
  nodes,
}: {
  pods: Pick<Store<Pod>, 'onChange' | 'synced'>;
  nodes: Pick<Store<Node>, 'get' | 'synced'>;
}): PodsOnPeers {
  const nodeByUid = new Map<string, string>();
  const uidsByNode = new Map<string, Set<string>>();
  const forget = (uid: string): void => {
    const node = nodeByUid.get(uid) ?? '';
    nodeByUid.delete(uid);
    const uids = uidsByNode.get(node);
    uids?.delete(uid);
    if (uids?.size === 0) uidsByNode.delete(node);
  };
  pods.onChange((_key, after, before) => {
    const { uid: oldUid } = before?.metadata ?? {};
    if (oldUid !== undefined && oldUid !== after?.metadata.uid) forget(oldUid);
    const { uid } = after?.metadata ?? {};
    const node = after?.spec.nodeName;
    if (uid === undefined || node?.startsWith(VIRTUAL_NODE_PREFIX) !== true || nodeByUid.get(uid) === node) return;
    forget(uid);
    nodeByUid.set(uid, node);
    uidsByNode.set(node, (uidsByNode.get(node) ?? new Set()).add(uid));
  });
  /** A node that somebody deleted is made again: until then nobody can tell whose it is. */
  const isOf = (node: string, peerId: string): boolean =>
    (nodes.get(node)?.metadata.labels?.[PEER_LABEL] ?? peerId) === peerId;
  return {
    get synced() {
      return pods.synced && nodes.synced;
    },
    isOn: (peerId, uid) => {
      const node = nodeByUid.get(uid);
      return node !== undefined && isOf(node, peerId);
    },
    countOn: (peerId) => {
      let count = 0;
      for (const [node, uids] of uidsByNode) if (isOf(node, peerId)) count += uids.size;
      return count;
    },
  };
}
