/** Every metric of headcut's own, once: what the agent serves, docs/metrics.md describes, and dashboards and alerts may ask for. */

export interface MetricSpec {
  type: 'counter' | 'gauge';
  labels: string[];
  help: string;
}

export const METRICS = {
  headcut_build_info: { type: 'gauge', labels: ['version'], help: 'Always 1; the label tells which version runs' },
  headcut_peers: {
    type: 'gauge',
    labels: ['state'],
    help: 'Other members by state (Connected, Suspect, Unreachable, Left)',
  },
  headcut_peer_connected: { type: 'gauge', labels: ['peer'], help: '1 while heartbeats of the peer arrive, else 0' },
  headcut_offloaded_pods: { type: 'gauge', labels: ['peer'], help: 'Own pods that the peer said it has' },
  headcut_peer_offered_cpu_cores: { type: 'gauge', labels: ['peer'], help: 'CPU that the peer offered last, in cores' },
  headcut_peer_offered_memory_bytes: {
    type: 'gauge',
    labels: ['peer'],
    help: 'Memory that the peer offered last, in bytes',
  },
  headcut_peer_offered_pods: { type: 'gauge', labels: ['peer'], help: 'Number of pods that the peer offered last' },
  headcut_reconciles_total: {
    type: 'counter',
    labels: ['controller', 'result'],
    help: 'Reconciles since the start, by controller and result (ok, error)',
  },
  headcut_queue_length: { type: 'gauge', labels: ['controller'], help: 'Keys that wait for their reconcile' },
  headcut_api_writes_total: {
    type: 'counter',
    labels: ['method', 'resource', 'result'],
    help: 'Writes to the own API server, by method, resource and result (ok, or the HTTP status)',
  },
} as const satisfies Record<string, MetricSpec>;

export type MetricName = keyof typeof METRICS;
