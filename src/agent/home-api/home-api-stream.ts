import { connect } from 'node:net';
import { CodedError, messageOf } from '../../core/coded-error.ts';
import type { Pod } from '../../core/kube-objects.ts';
import { mountsToken } from '../../core/offloading/token-rule.ts';
import { isTerminal } from '../../core/pod-phase.ts';
import type { Store } from '../../kube/store.ts';
import type { StreamHandler } from '../../peering/serving.ts';
import type { Clock } from '../../runtime/clock.ts';
import { joinStreams } from '../../runtime/upgrade.ts';
import type { VirtualNodes } from '../ports.ts';

export interface HomeApiStreamDeps {
  /** All pods of this cluster. */
  pods: Pick<Store<Pod>, 'list' | 'synced'>;
  nodes: Pick<VirtualNodes, 'peerOf'>;
  /** False where this member's settings close its API server to offloaded pods, or to those of this namespace. */
  isAllowed(namespace: string): boolean;
  /** https://host:port of the API server. */
  apiServer: string;
  clock: Clock;
}

const CONNECT_WITHIN_MS = 5_000;
/** One peer cannot use up the API server's connections. */
const MAX_STREAMS_PER_PEER = 256;

/**
 * Serves the stream by which a peer brings our pods that run there to our API server. A peer gets there only for such a pod;
 * who it is for the API server, the pod says itself, by its token.
 */
export function createHomeApiStream(deps: HomeApiStreamDeps): StreamHandler<'home-api'> {
  const { hostname, port } = new URL(deps.apiServer);
  const target = { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 443 : Number(port) };
  const streams = new Map<string, number>();
  return async ({ peerId, query, accept }) => {
    check(deps, peerId, query.uid);
    const used = streams.get(peerId) ?? 0;
    if (used >= MAX_STREAMS_PER_PEER) {
      throw new CodedError('ResourceExhausted', 'too many connections to the API server through one peer');
    }
    streams.set(peerId, used + 1);
    const release = (): void => void streams.set(peerId, (streams.get(peerId) ?? 1) - 1);
    try {
      const socket = await open(target, deps.clock);
      const stream = accept();
      stream.once('close', release);
      const head = Buffer.alloc(0);
      joinStreams({ stream, head }, { stream: socket, head });
    } catch (error) {
      release();
      throw error;
    }
  };
}

function check({ pods, nodes, isAllowed }: HomeApiStreamDeps, peerId: string, uid: string): void {
  if (!pods.synced) throw new CodedError('Unavailable', 'the agent is starting; try again in a moment');
  const pod = pods.list().find((one) => one.metadata.uid === uid);
  const isThere = pod !== undefined && !isTerminal(pod.status) && nodes.peerOf(pod.spec.nodeName ?? '') === peerId;
  if (!isThere) throw new CodedError('Forbidden', 'no pod of ours with this UID runs on this peer');
  if (!mountsToken(pod))
    throw new CodedError('Forbidden', 'this pod mounts no token of a ServiceAccount, so nothing at its home is for it');
  if (!isAllowed(pod.metadata.namespace ?? ''))
    throw new CodedError(
      'Forbidden',
      "this member keeps its API server from this pod (spec.homeApi of its Federation, or serviceAccountTokens of that or of the namespace's Offloading)",
    );
}

async function open(target: { host: string; port: number }, clock: Clock) {
  const opened = new AbortController();
  const socket = connect({ ...target, noDelay: true });
  const late = clock.sleep(CONNECT_WITHIN_MS, opened.signal).then(
    () => socket.destroy(new Error('no answer in time')),
    () => undefined,
  );
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return socket;
  } catch (error) {
    throw new CodedError('Unavailable', `the API server cannot be reached: ${messageOf(error)}`);
  } finally {
    opened.abort();
    await late;
  }
}
