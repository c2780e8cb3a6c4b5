import { CodedError } from '../core/coded-error.ts';
import { counted } from '../core/explain/age.ts';
import { fencingAfterMs } from '../core/fencing/fencing-rule.ts';
import type { KubeObject, Node, Pod } from '../core/kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL, ORIGIN_CLUSTER_LABEL, PEER_LABEL, UNREACHABLE_TAINT } from '../core/labels.ts';
import { AGENT_NAMESPACE } from '../core/membership/join-secrets.ts';
import { FEDERATION_NAME } from '../core/membership/peer-object.ts';
import { isTerminal } from '../core/pod-phase.ts';
import { IMPORT_LABEL, SOURCE_CLUSTER_LABEL } from '../core/sharing/sharing-objects.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { Discovery } from '../kube/discovery.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  CLUSTER_PROPERTIES,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  FEDERATIONS,
  LEASES,
  NAMESPACES,
  NODES,
  PODS,
  SERVICE_IMPORTS,
  SERVICES,
} from '../kube/resources.ts';
import type { Clock, TimeLimit } from '../runtime/clock.ts';
import { explain } from './cluster.ts';
import { tryFarewell } from './farewell.ts';
import { AGENT, networkRemovalObjects, POD_SELECTOR, possibleObjects } from './install-objects.ts';
import { findAll, nameOf, POLL_MS, type Removal, removeAll, removeWithin } from './removal.ts';
import { emptyTwins, letVolumesGo } from './volumes-left.ts';

export interface UninstallOptions {
  timeoutMs: number;
  clock: Clock;
  /** Told what is being done. */
  note(text: string): void;
  /** Where k0s itself installs headcut: takes it out of what k0s applies. Called when it is time. */
  removeK0sStack?: () => void;
}

export const DEFAULT_UNINSTALL_TIMEOUT_MS = 30_000;
/** Shares of the time. Pods that run on peers get the longest, because a living peer has to end them. */
const BRING_HOME = 0.3;
/** An agent with living peers does it in a second; it gives peers that do not answer five. */
const FAREWELL = 0.2;
const STOP_AGENT = 0.2;
const NETWORK = 0.2;
/** Pods of others get this long to end; more would not fit into the time. */
const GRACE_SECONDS = 3;
const FORCE = { gracePeriodSeconds: 0 };
/** A peer has stopped a pod 10 s after that (core/fencing/lease), when Kubernetes may replace it. */
const SAFE_FENCING_MS = 30_000;
/** An offer is with the peers, and on their virtual nodes, within a fraction of that. */
const PEERS_HEAR_MS = 1_000;

const OURS = `app.kubernetes.io/name=${AGENT}`;
/** On what k0s's manifest deployer made. */
const K0S_STACK_LABEL = 'k0s.k0sproject.io/stack';
/** On the agent's namespace: the image of the agent that was removed. */
const IMAGE_ANNOTATION = 'headcut.dev/removed-agent-image';

/**
 * Removes headcut and all that it made in this cluster: pods that run on peers go home, pods of peers end, peers are told that this
 * member leaves, then nodes, namespaces, kinds and rights go. Needs no peer to be alive, and can be repeated. Throws Unavailable that
 * names what is left when the time is over.
 */
export async function uninstall(client: KubeClient, options: UninstallOptions): Promise<void> {
  const { clock, note, timeoutMs } = options;
  const untilMs = clock.monotonic() + timeoutMs;
  const share = (part: number): TimeLimit => ({
    clock,
    untilMs: Math.min(untilMs, clock.monotonic() + timeoutMs * part),
  });
  try {
    if (options.removeK0sStack === undefined) await refuseK0sStack(client);
    const nodes = await findAll(client, { type: NODES, query: { labelSelector: PEER_LABEL } });
    note('no pod is sent to peers any more');
    await stopOffloading(client, nodes);
    note(`bringing pods home from ${nodes.length} virtual nodes, ending the pods of peers`);
    // What ends slowest begins first; what peers still send meanwhile is found below.
    const inTime = share(BRING_HOME);
    await closeForPeers(client, clock);
    await Promise.all([
      bringHome(client, inTime),
      removeAll(client, await emptyTwins(client)),
      endGuests(client, inTime),
    ]);
    await tellWhatMayRun(client, nodes, note);
    await sayGoodbye(client, share(FAREWELL), note);
    const image = await imageOfAgent(client);
    if (options.removeK0sStack !== undefined) await leaveK0s(client, options.removeK0sStack);
    note('stopping the agent');
    await stopAgent(client, share(STOP_AGENT));
    await letVolumesGo(client, note);
    note('removing the pod network of the node, nodes, namespaces, kinds and rights');
    const rest = await everything(client, nodes);
    await Promise.all([removeNetwork(client, image, share(NETWORK)), removeWithin(client, rest, share(NETWORK))]);
    // A kubelet that cannot keep up ends what has no object any more as well.
    const late = [...(await guestsOf(client, 0)), { type: PODS, namespace: AGENT_NAMESPACE, options: FORCE }];
    const left = await removeWithin(client, [...late, ...rest, OWN_NAMESPACE], { clock, untilMs });
    if (left.length > 0)
      throw new CodedError(
        'Unavailable',
        `still being removed after ${Math.round(timeoutMs / 1000)}s: ${left.join(', ')}; run headcut uninstall again`,
      );
  } catch (error) {
    throw explain(error);
  }
}

/** k0s would make everything anew. */
async function refuseK0sStack(client: KubeClient): Promise<void> {
  const agents = await findAll(client, { type: DEPLOYMENTS, namespace: AGENT_NAMESPACE });
  const stack = agents.find(({ metadata }) => metadata.name === AGENT)?.metadata.labels?.[K0S_STACK_LABEL];
  if (stack === undefined) return;
  throw new CodedError(
    'FailedPrecondition',
    `k0s itself installs headcut here, from its manifests folder; run headcut uninstall --k0s on the machine of k0s`,
  );
}

/** k0s deletes what has the label of a stack that is gone, at once; the namespace is still needed. */
async function leaveK0s(client: KubeClient, removeStack: () => void): Promise<void> {
  const unlabelled = { metadata: { labels: { [K0S_STACK_LABEL]: null } } };
  await client.patch(NAMESPACES, { name: AGENT_NAMESPACE }, unlabelled).catch(ignoreNotFound);
  removeStack();
}

/** What changes new pods goes first; then virtual nodes take none, whatever these tolerate. */
async function stopOffloading(client: KubeClient, nodes: readonly KubeObject[]): Promise<void> {
  const admission = await removalsOf(client, (object) => (object.apiVersion ?? '').startsWith('admissionregistration'));
  await Promise.all(admission.map((removal) => removeAll(client, removal)));
  for (const { metadata } of nodes)
    await client.patch(NODES, { name: metadata.name }, { spec: { unschedulable: true } }).catch(ignoreNotFound);
}

/** So that peers put what replaces their pods here elsewhere. Nothing to wait for where there are none. */
async function closeForPeers(client: KubeClient, clock: Clock): Promise<void> {
  await client.patch(FEDERATIONS, { name: FEDERATION_NAME }, { spec: { maintenance: true } }).catch(ignoreNotFound);
  const guests = await Promise.all((await guestsOf(client)).map((pods) => findAll(client, pods)));
  if (guests.flat().length > 0) await clock.sleep(PEERS_HEAR_MS);
}

/** Pods on living peers are ended there by the agent; those on lost ones nobody ends. */
async function bringHome(client: KubeClient, { clock, untilMs }: TimeLimit): Promise<void> {
  const virtual = { type: NODES, query: { labelSelector: PEER_LABEL } };
  for (;;) {
    const nodes = await findAll(client, virtual);
    const reachable = nodes.filter((node) => !isUnreachable(node as Node));
    const left = await Promise.all(
      reachable.map(podsOn({ gracePeriodSeconds: GRACE_SECONDS })).map((pods) => removeAll(client, pods)),
    );
    if (left.flat().length === 0 || clock.monotonic() >= untilMs) {
      await Promise.all(nodes.map(strayPodsOn).map((pods) => removeAll(client, pods)));
      return;
    }
    await clock.sleep(POLL_MS);
  }
}

const podsOn =
  (options: { gracePeriodSeconds: number }) =>
  ({ metadata }: KubeObject): Removal => ({
    type: PODS,
    query: { fieldSelector: `spec.nodeName=${metadata.name}` },
    options,
  });

/**
 * What a peer did not end in time; but for pods of which there must be one, and which may still run there: the pod garbage collector
 * of Kubernetes removes these 40 to 60 s after their node is gone, so that their replacements do not meet them.
 */
const strayPodsOn = (node: KubeObject): Removal => ({
  ...podsOn(FORCE)(node),
  matches: (pod) => !mayRunThere(pod as Pod),
});

function mayRunThere(pod: Pod): boolean {
  return fencingMs(pod) !== undefined && !isTerminal(pod.status);
}

/** What its provider was told; of one that has not said that yet what it asks for itself. */
function fencingMs(pod: Pod): number | undefined {
  return fencingAfterMs(pod, undefined, undefined);
}

function isUnreachable(node: Node): boolean {
  return node.spec?.taints?.some(({ key }) => key === UNREACHABLE_TAINT) === true;
}

async function tellWhatMayRun(
  client: KubeClient,
  nodes: readonly KubeObject[],
  note: (text: string) => void,
): Promise<void> {
  const there = await Promise.all(
    nodes.map((node) => findAll(client, { ...podsOn(FORCE)(node), matches: (pod) => mayRunThere(pod as Pod) })),
  );
  const pods = there.flat() as Pod[];
  if (pods.length === 0) return;
  const longestMs = Math.max(...pods.map((pod) => fencingMs(pod) ?? 0));
  const hint =
    longestMs > SAFE_FENCING_MS ? `; their fencing time is ${longestMs / 1_000} s: make sure that they have ended` : '';
  const names = pods.map((pod) => nameOf(PODS, pod)).join(', ');
  note(`${names} may still run on peers that do not answer; Kubernetes replaces them in about a minute${hint}`);
}

/** Peers drop this member at once, instead of waiting for it. */
async function sayGoodbye(client: KubeClient, limit: TimeLimit, note: (text: string) => void): Promise<void> {
  const goodbye = await tryFarewell(client, limit);
  switch (goodbye.type) {
    case 'no-member':
      return;
    case 'told':
      return note(`told the federation that this member leaves it (${counted(goodbye.members, 'peer')})`);
    case 'unconfirmed':
      return note(
        `the agent did not confirm in time that peers were told that this member leaves; where one still shows it, run headcut forget ${goodbye.name}`,
      );
    case 'not-told':
      return note(
        `no peer can be told that this member leaves: none is connected; run headcut forget ${goodbye.name} on each that lives`,
      );
  }
}

/** The agent, and the guard of fenced pods, of the same image. */
const DEPLOYMENTS_OF_OURS: Removal = { type: DEPLOYMENTS, namespace: AGENT_NAMESPACE, query: { labelSelector: OURS } };

/** Noted on the namespace, which goes last, for a try that begins without the agent. */
async function imageOfAgent(client: KubeClient): Promise<string | undefined> {
  const [found] = await findAll(client, DEPLOYMENTS_OF_OURS);
  const { template } = (found?.spec ?? {}) as { template?: { spec?: { containers?: { image?: string }[] } } };
  const image = template?.spec?.containers?.[0]?.image;
  if (image === undefined) {
    const [namespace] = await findAll(client, OWN_NAMESPACE);
    // One that ends already has no use for it: an earlier try was done with the network.
    return namespace?.metadata.deletionTimestamp === undefined
      ? namespace?.metadata.annotations?.[IMAGE_ANNOTATION]
      : undefined;
  }
  const noted = { metadata: { annotations: { [IMAGE_ANNOTATION]: image } } };
  await client.patch(NAMESPACES, { name: AGENT_NAMESPACE }, noted).catch(ignoreNotFound);
  return image;
}

async function stopAgent(client: KubeClient, limit: TimeLimit): Promise<void> {
  const pods = { type: PODS, namespace: AGENT_NAMESPACE, query: { labelSelector: POD_SELECTOR } };
  const options = { gracePeriodSeconds: GRACE_SECONDS };
  const left = await removeWithin(client, [DEPLOYMENTS_OF_OURS, { ...pods, options }], limit);
  if (left.length > 0) await removeAll(client, { ...pods, options: FORCE });
}

/** By a Job on the node, the only way there is; where it does not come to run, the rest goes on without it. */
async function removeNetwork(
  client: KubeClient,
  image: string | undefined,
  { clock, untilMs }: TimeLimit,
): Promise<void> {
  // Without an agent there was none that made a network.
  if (image === undefined) return;
  const discovery = new Discovery(client);
  for (const object of networkRemovalObjects(image)) {
    const type = await discovery.typeOf(object);
    if (type === undefined) continue;
    await client.apply(type, object, { force: true });
    const address = { namespace: object.metadata.namespace, name: object.metadata.name };
    while (clock.monotonic() < untilMs) {
      const { status } = (await client.get(type, address)) as KubeObject & { status?: { succeeded?: number } };
      if ((status?.succeeded ?? 0) > 0) break;
      await clock.sleep(POLL_MS);
    }
  }
}

const TWINS: Removal = { type: NAMESPACES, query: { labelSelector: ORIGIN_CLUSTER_LABEL } };
/** Last, because the Job that removes the pod network lives in it. */
const OWN_NAMESPACE: Removal = { type: NAMESPACES, matches: ({ metadata }) => metadata.name === AGENT_NAMESPACE };

/** Waits for that: a peer that has not heard of the end of its pods before this member is gone replaces them a minute later. */
async function endGuests(client: KubeClient, limit: TimeLimit): Promise<void> {
  await removeWithin(client, await guestsOf(client), limit);
}

/** The pods of peers, which may take longer to end than there is time. */
async function guestsOf(client: KubeClient, gracePeriodSeconds = GRACE_SECONDS): Promise<Removal[]> {
  const options = { gracePeriodSeconds };
  return (await findAll(client, TWINS)).map(({ metadata }) => ({ type: PODS, namespace: metadata.name, options }));
}

/** All of headcut but its namespace, by kind. The kinds of headcut.dev come last: namespaces cannot end while they go. */
async function everything(client: KubeClient, nodes: readonly KubeObject[]): Promise<Removal[]> {
  const names = nodes.map(({ metadata }) => metadata.name);
  const cluster = await removalsOf(client, ({ kind }) => kind !== 'CustomResourceDefinition' && kind !== 'Namespace');
  const kinds = await removalsOf(client, ({ kind }) => kind === 'CustomResourceDefinition');
  return [
    ...(await guestsOf(client)),
    await emptyTwins(client),
    ...nodes.map(strayPodsOn),
    { type: NODES, query: { labelSelector: PEER_LABEL } },
    { type: LEASES, namespace: 'kube-node-lease', matches: ({ metadata }) => names.includes(metadata.name) },
    { type: CERTIFICATE_SIGNING_REQUESTS, matches: isOurRequest },
    { type: CLUSTER_PROPERTIES, query: { labelSelector: `${MANAGED_BY_LABEL}=${MANAGED_BY}` } },
    // What is shared goes; exports are the users', and the kinds are not ours.
    { type: SERVICE_IMPORTS, query: { labelSelector: `${MANAGED_BY_LABEL}=${MANAGED_BY}` } },
    { type: ENDPOINT_SLICES, query: { labelSelector: `${SOURCE_CLUSTER_LABEL},${MANAGED_BY_LABEL}=${MANAGED_BY}` } },
    { type: SERVICES, query: { labelSelector: IMPORT_LABEL } },
    ...cluster,
    ...kinds,
  ];
}

/** Requests by the agent, and by the virtual nodes. */
function isOurRequest({ spec }: KubeObject): boolean {
  const { username = '' } = spec as { username?: string };
  return (
    username === `system:serviceaccount:${AGENT_NAMESPACE}:${AGENT}` || username.startsWith('system:node:headcut-')
  );
}

/** The objects of an installation of any version without a namespace of their own: one removal a kind, by label. */
async function removalsOf(client: KubeClient, matches: (object: KubeObject) => boolean): Promise<Removal[]> {
  const discovery = new Discovery(client);
  const removals = new Map<string, Removal>();
  for (const object of possibleObjects().filter(matches)) {
    const type = await discovery.typeOf(object);
    if (type === undefined || type.namespaced) continue;
    removals.set(type.plural, { type, query: { labelSelector: OURS } });
  }
  return [...removals.values()];
}

function ignoreNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
