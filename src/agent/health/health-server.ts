import fastify, { type FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import type { Diagnosis } from '../../core/diagnosis/diagnosis.ts';
import type { ControllerStats } from '../../runtime/controller.ts';
import { createFairConnections, shareConnections } from '../../runtime/fair-connections.ts';
import { type PeerFigures, registerMetrics } from './metrics.ts';
import { collectProcessMetrics } from './process-metrics.ts';

export interface HealthSources {
  /** Names of caches that are not synced yet. */
  unsynced(): string[];
  controllers(): ControllerStats[];
  peers(): PeerFigures[];
  /** Looks for faults, which takes seconds. */
  diagnose(): Promise<Diagnosis>;
  /** Version of the agent. */
  version: string;
}

export interface HealthServer {
  listen(host: string, port: number): Promise<void>;
  /** Counts a write to the API server. */
  countWrite(method: string, path: string, status: number): void;
  close(): Promise<void>;
}

/** Kubelet, metrics scrapers and people: a pod that opens all that it can does not keep the kubelet's probes out, which would end the agent. */
const CONNECTIONS = { total: 64, perOwner: 4, mostPerMember: 16 };
const REQUEST_WITHIN_MS = 10_000;
/** Of a connection on which nothing moves; a diagnosis takes some seconds. */
const IDLE_MS = 60_000;

/** /healthz, /readyz (?verbose), /metrics and /diagnosis. */
export function createHealthServer(sources: HealthSources): HealthServer {
  const registry = new Registry();
  collectProcessMetrics(registry);
  const { writes } = registerMetrics(registry, sources);
  const app = fastify({ requestTimeout: REQUEST_WITHIN_MS, connectionTimeout: IDLE_MS });
  shareConnections(app.server, createFairConnections(CONNECTIONS));
  app.get('/healthz', () => 'ok');
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  app.get('/diagnosis', () => sources.diagnose());
  addReadiness(app, sources);
  return {
    listen: async (host, port) => void (await app.listen({ host, port })),
    countWrite: (method, path, status) =>
      writes.inc({ method, resource: resourceOf(path), result: status < 300 ? 'ok' : String(status) }),
    close: () => app.close(),
  };
}

function addReadiness(app: FastifyInstance, sources: HealthSources): void {
  app.get('/readyz', (request, reply) => {
    const unsynced = sources.unsynced();
    const lines = [...unsynced.map((name) => `[-] cache ${name} is not synced`)];
    if ((request.query as Record<string, unknown>).verbose !== undefined) {
      lines.push(
        ...sources.controllers().map(describe),
        ...sources.peers().map((peer) => `[${peer.state === 'Connected' ? '+' : '!'}] peer ${peer.name} ${peer.state}`),
      );
    }
    const ready = unsynced.length === 0;
    return reply
      .status(ready ? 200 : 503)
      .type('text/plain')
      .send(`${[...lines, ready ? 'ok' : 'not ready'].join('\n')}\n`);
  });
}

function describe(stats: ControllerStats): string {
  const { name, queued, inFlight, reconciles, errors, stuck, lastError = stuck?.error } = stats;
  const last = lastError === undefined ? '' : ` last error: ${stuck?.error ?? lastError}`;
  const counts = `queued=${queued} inFlight=${inFlight} reconciles=${reconciles} errors=${errors}`;
  return `[${stuck === undefined ? '+' : '!'}] controller ${name} ${counts}${stuck === undefined ? '' : ` stuck=${stuck.keys}`}${last}`;
}

/** `/api/v1/namespaces/x/pods/y/status` → `pods/status`; few label values, whatever the names are. */
export function resourceOf(path: string): string {
  const parts = path.split('?')[0]?.split('/').slice(1) ?? [];
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  const own = rest[0] === 'namespaces' && rest.length > 2 ? rest.slice(2) : rest;
  return own[2] === undefined ? (own[0] ?? '') : `${own[0]}/${own[2]}`;
}
