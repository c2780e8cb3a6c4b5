import { Counter, Gauge, type Registry } from 'prom-client';
import type { ControllerStats } from '../../runtime/controller.ts';
import { METRICS, type MetricName } from './metric-list.ts';

/** Of the process's own metrics: memory, CPU, open files, event loop (prom-client's default metrics). */
export const PROCESS_PREFIX = 'headcut_';

/** What is told of one peer. */
export interface PeerFigures {
  name: string;
  state: string;
  /** Own pods there. */
  pods: number;
  /** What it offers, in whole units; undefined before its first offer. */
  offer?: { cpuCores: number; memoryBytes: number; pods: number } | undefined;
}

export interface MetricSources {
  version: string;
  controllers(): ControllerStats[];
  peers(): PeerFigures[];
}

const STATES = ['Connected', 'Suspect', 'Unreachable', 'Left'];

/** Makes all metrics of headcut. Gauges are read when they are asked for, so nothing is left of peers that were forgotten. */
export function registerMetrics(registry: Registry, sources: MetricSources) {
  const gauge = (name: MetricName, collect: (set: (labels: Record<string, string>, value: number) => void) => void) => {
    const made: Gauge = new Gauge({
      name,
      help: METRICS[name].help,
      labelNames: METRICS[name].labels,
      registers: [registry],
      collect: () => {
        made.reset();
        collect((labels, value) => made.set(labels, value));
      },
    });
  };
  const counter = (
    name: MetricName,
    collect?: (set: (labels: Record<string, string>, value: number) => void) => void,
  ) => {
    const made: Counter = new Counter({
      name,
      help: METRICS[name].help,
      labelNames: METRICS[name].labels,
      registers: [registry],
      ...(collect === undefined
        ? {}
        : {
            collect: () => {
              made.reset();
              collect((labels, value) => made.inc(labels, value));
            },
          }),
    });
    return made;
  };
  gauge('headcut_build_info', (set) => set({ version: sources.version }, 1));
  registerPeers(gauge, sources);
  registerControllers(gauge, counter, sources);
  return { writes: counter('headcut_api_writes_total') };
}

type Register = (
  name: MetricName,
  collect: (set: (labels: Record<string, string>, value: number) => void) => void,
) => void;

function registerPeers(gauge: Register, sources: MetricSources): void {
  gauge('headcut_peers', (set) => {
    const peers = sources.peers();
    for (const state of STATES) set({ state }, peers.filter((peer) => peer.state === state).length);
  });
  gauge('headcut_peer_connected', (set) => {
    for (const { name, state } of sources.peers()) set({ peer: name }, state === 'Connected' ? 1 : 0);
  });
  gauge('headcut_offloaded_pods', (set) => {
    for (const { name, pods } of sources.peers()) set({ peer: name }, pods);
  });
  gauge('headcut_peer_offered_cpu_cores', (set) => {
    for (const { name, offer } of sources.peers()) if (offer !== undefined) set({ peer: name }, offer.cpuCores);
  });
  gauge('headcut_peer_offered_memory_bytes', (set) => {
    for (const { name, offer } of sources.peers()) if (offer !== undefined) set({ peer: name }, offer.memoryBytes);
  });
  gauge('headcut_peer_offered_pods', (set) => {
    for (const { name, offer } of sources.peers()) if (offer !== undefined) set({ peer: name }, offer.pods);
  });
}

function registerControllers(gauge: Register, counter: Register, sources: MetricSources): void {
  counter('headcut_reconciles_total', (set) => {
    for (const { name, reconciles, errors } of sources.controllers()) {
      set({ controller: name, result: 'error' }, errors);
      set({ controller: name, result: 'ok' }, reconciles - errors);
    }
  });
  gauge('headcut_queue_length', (set) => {
    for (const { name, queued } of sources.controllers()) set({ controller: name }, queued);
  });
}
