import { gzipSync } from 'node:zlib';
import { messageOf } from '../core/coded-error.ts';
import type { KubeObject } from '../core/kube-objects.ts';
import { AGENT_NAMESPACE } from '../core/membership/join-secrets.ts';
import type { KubeClient } from '../kube/client.ts';
import {
  EVENTS,
  FEDERATIONS,
  NAMESPACES,
  NODES,
  OFFLOADINGS,
  PEERS,
  PODS,
  type ResourceType,
  SHADOW_PODS,
} from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { agentPods, openAgentLog, readAgentPage } from './agent-logs.ts';
import { diagnose } from './doctor/doctor.ts';

export interface BundleOptions {
  clock: Clock;
  version: string;
  signal: AbortSignal;
}

export interface BundleFile {
  path: string;
  text: string;
}

/** What is collected of each kind, cluster-wide unless a namespace is named. Never Secrets or ConfigMaps. */
const OBJECTS: { file: string; type: ResourceType; namespace?: string }[] = [
  { file: 'federation', type: FEDERATIONS },
  { file: 'peers', type: PEERS },
  { file: 'offloadings', type: OFFLOADINGS },
  { file: 'shadowpods', type: SHADOW_PODS },
  { file: 'nodes', type: NODES },
  { file: 'namespaces', type: NAMESPACES },
  { file: 'pods', type: PODS },
  { file: 'events', type: EVENTS, namespace: AGENT_NAMESPACE },
];
const LOG_LINES = 5_000;

/**
 * Collects what helps somebody else to see what is wrong, file by file. Values of environment variables, which often are
 * secrets, are taken out, and so are headers of probes, attributes of volumes and the annotations of others. What cannot be read is said in its place.
 */
export async function* collectSupport(client: KubeClient, options: BundleOptions): AsyncGenerator<BundleFile> {
  for (const { file, type, namespace } of OBJECTS)
    yield await attempt(`objects/${file}.json`, async () => {
      const { items } = await client.list(type, namespace === undefined ? {} : { namespace });
      return JSON.stringify(items.map(withoutSecrets), undefined, 1);
    });
  yield await attempt('doctor.json', async () => {
    const reports = [];
    for await (const report of diagnose(client, options)) reports.push(report);
    return JSON.stringify(reports, undefined, 1);
  });
  for (const previous of [false, true])
    yield await attempt(previous ? 'agent-previous.log' : 'agent.log', async () => {
      const { signal } = options;
      const log = await openAgentLog(client, { follow: false, previous, tailLines: LOG_LINES, signal });
      let text = '';
      for await (const chunk of log) text += String(chunk);
      return text;
    });
  for (const page of ['metrics', 'readyz?verbose'])
    yield await attempt(`agent-${page.split('?')[0]}.txt`, async () => {
      const [pod] = await agentPods(client);
      return pod === undefined ? 'no agent runs here\n' : readAgentPage(client, pod, page, options.signal);
    });
}

async function attempt(path: string, read: () => Promise<string>): Promise<BundleFile> {
  try {
    return { path, text: await read() };
  } catch (error) {
    return { path: `${path}.error`, text: `${messageOf(error)}\n` };
  }
}

/** The archive (tar, gzip) of collected files. */
export async function packBundle(folder: string, files: readonly BundleFile[]): Promise<Buffer> {
  const { pack } = await import('tar-stream');
  const archive = pack();
  for (const { path, text } of files) archive.entry({ name: `${folder}/${path}` }, text);
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return gzipSync(Buffer.concat(chunks));
}

const REPLACED = '(removed)';
/** Fields below which nothing of a user's own values is left. */
const VALUES_OF = new Set(['env', 'command', 'args', 'httpHeaders', 'volumeAttributes', 'options']);
/** Those of others may hold anything; what is headcut's own and Kubernetes' says what is going on. */
const KNOWN_ANNOTATION = /^([-a-z0-9.]+\.)?(headcut\.dev|kubernetes\.io|k8s\.io)\//;

/** A copy in which nothing can be a secret that headcut needs not show. */
export function withoutSecrets(object: KubeObject): KubeObject {
  return clean(object, []) as KubeObject;
}

function clean(value: unknown, path: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((one) => clean(one, path));
  const inside = path.some((name) => VALUES_OF.has(name));
  if (typeof value !== 'object' || value === null)
    return inside && typeof value === 'string' && path.at(-1) !== 'name' ? REPLACED : value;
  const ofAnnotations = path.at(-1) === 'annotations';
  const entries = Object.entries(value).filter(([name]) => name !== 'managedFields');
  return Object.fromEntries(
    entries.map(([name, member]) =>
      ofAnnotations && !isShown(name) ? [name, REPLACED] : [name, clean(member, [...path, name])],
    ),
  );
}

function isShown(annotation: string): boolean {
  return KNOWN_ANNOTATION.test(annotation) && annotation !== 'kubectl.kubernetes.io/last-applied-configuration';
}
