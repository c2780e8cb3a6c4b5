import { CodedError } from '../core/coded-error.ts';
import type { KubeObject, Pod } from '../core/kube-objects.ts';
import { AGENT_NAMESPACE } from '../core/membership/join-secrets.ts';
import { FEDERATION_NAME, type FederationObject } from '../core/membership/peer-object.ts';
import { isAlreadyExists, isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { Discovery } from '../kube/discovery.ts';
import { patiently } from '../kube/patiently.ts';
import { DEPLOYMENTS, FEDERATIONS, PODS } from '../kube/resources.ts';
import type { Clock, TimeLimit } from '../runtime/clock.ts';
import { applyOwn } from './apply-own.ts';
import { explain } from './cluster.ts';
import { removeFormerObjects } from './former-objects.ts';
import {
  csrApproverBinding,
  DEPLOYMENT_NAMES,
  type InstallChoices,
  installObjects,
  POD_SELECTOR,
  policyObject,
  sharingKinds,
} from './install-objects.ts';

export interface InstallOptions extends InstallChoices {
  timeoutMs: number;
  clock: Clock;
}

export interface Installed {
  /** How many objects there are now. */
  objects: number;
  /** How pods of offloaded namespaces are changed: by the API server itself, or by the agent for an older one. */
  admission: 'policies' | 'webhook';
  id: string;
  endpoints: string[];
}

/** An image may have to be pulled. */
export const DEFAULT_INSTALL_TIMEOUT_MS = 180_000;
const POLL_MS = 500;

/** Installs this version of headcut, or brings an installed one to it, and waits until its agent says who it is. */
export async function install(client: KubeClient, options: InstallOptions): Promise<Installed> {
  const { clock, timeoutMs } = options;
  const untilMs = clock.monotonic() + timeoutMs;
  try {
    const discovery = new Discovery(client);
    // The first question is asked once: who gave a wrong address should not wait.
    const webhook = options.webhook ?? !(await servesPolicies(discovery));
    const csrApprover =
      options.csrApprover ??
      (await patiently(() => isThere(client, discovery, csrApproverBinding()), { clock, untilMs }));
    const objects = installObjects({ ...options, csrApprover, webhook });
    for (const object of objects) await patiently(() => applyOne(client, discovery, object), { clock, untilMs });
    for (const kind of sharingKinds()) await patiently(() => addOne(client, discovery, kind), { clock, untilMs });
    await patiently(() => removeFormerObjects(client, discovery), { clock, untilMs });
    const { id = '', endpoints = [] } = (await waitForAgent(client, { clock, timeoutMs, untilMs })).status ?? {};
    return { objects: objects.length, admission: webhook ? 'webhook' : 'policies', id, endpoints };
  } catch (error) {
    throw explain(error);
  }
}

async function servesPolicies(discovery: Discovery): Promise<boolean> {
  const policy = policyObject();
  return policy === undefined || (await discovery.typeOf(policy)) !== undefined;
}

/** Of an earlier installation: whoever asked for that part still wants it, in the form that it has now. */
async function isThere(client: KubeClient, discovery: Discovery, object: KubeObject | undefined): Promise<boolean> {
  const type = object && (await discovery.typeOf(object));
  if (object === undefined || type === undefined) return false;
  try {
    await client.get(type, { name: object.metadata.name });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function applyOne(client: KubeClient, discovery: Discovery, object: KubeObject): Promise<void> {
  const type = await discovery.typeOf(object);
  const { kind, apiVersion, metadata } = object;
  if (type === undefined)
    throw new CodedError(
      'FailedPrecondition',
      `this API server does not know ${kind} of ${apiVersion} (for ${metadata.name}); headcut needs Kubernetes 1.34 or newer`,
    );
  await applyOwn(client, type, object);
}

/** Leaves alone what is there, in whatever form. */
async function addOne(client: KubeClient, discovery: Discovery, object: KubeObject): Promise<void> {
  if (await isThere(client, discovery, object)) return;
  const type = await discovery.typeOf(object);
  if (type === undefined) return;
  await client.create(type, object).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
  });
}

interface Deployment extends KubeObject {
  spec: { replicas?: number };
  status?: { observedGeneration?: number; updatedReplicas?: number; availableReplicas?: number; replicas?: number };
}

async function waitForAgent(
  client: KubeClient,
  { timeoutMs, ...limit }: TimeLimit & { timeoutMs: number },
): Promise<FederationObject> {
  while (limit.clock.monotonic() < limit.untilMs) {
    const federation = await patiently(() => readOnceRolledOut(client), limit);
    if (federation?.status?.id !== undefined) return federation;
    await limit.clock.sleep(POLL_MS);
  }
  throw new CodedError(
    'Unavailable',
    `headcut is installed, but its agent is not ready after ${Math.round(timeoutMs / 1000)}s${await reasonOf(client)}; look at kubectl -n ${AGENT_NAMESPACE} describe pods`,
  );
}

async function readOnceRolledOut(client: KubeClient): Promise<FederationObject | undefined> {
  for (const name of DEPLOYMENT_NAMES)
    if (!isRolledOut(await client.get<Deployment>(DEPLOYMENTS, { namespace: AGENT_NAMESPACE, name }))) return undefined;
  return readIfThere(client);
}

/** True when the agent of the present version runs, and none of a former one. */
export function isRolledOut({ metadata, spec, status = {} }: Deployment): boolean {
  const wanted = spec.replicas ?? 1;
  return (
    (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    status.updatedReplicas === wanted &&
    status.replicas === wanted &&
    status.availableReplicas === wanted
  );
}

async function readIfThere(client: KubeClient): Promise<FederationObject | undefined> {
  try {
    return await client.get<FederationObject>(FEDERATIONS, { name: FEDERATION_NAME });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** What the pods wait for, as an addition to a message. */
async function reasonOf(client: KubeClient): Promise<string> {
  const query = { labelSelector: POD_SELECTOR };
  const { items } = await client.list<Pod>(PODS, { namespace: AGENT_NAMESPACE, query });
  const waiting = items
    .flatMap(({ status }) => status?.containerStatuses ?? [])
    .map(({ state }) => state?.waiting as { reason?: string; message?: string } | undefined)
    .find((one) => one !== undefined);
  if (waiting === undefined) return '';
  return ` (${[waiting.reason, waiting.message].filter((text) => text !== undefined && text !== '').join(': ')})`;
}
