import { messageOf } from '../../core/coded-error.ts';
import { firstDifference } from '../../core/first-difference.ts';
import { isReady, type KubeObject, type Pod } from '../../core/kube-objects.ts';
import { MANAGED_BY_LABEL, ORIGIN_CLUSTER_LABEL, PEER_LABEL, VIRTUAL_NODE_TAINT } from '../../core/labels.ts';
import { isTwinName } from '../../core/shadow-pod/twin-namespace.ts';
import { virtualNodeName } from '../../core/virtual-node/plan-node.ts';
import { isForbidden, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PODS } from '../../kube/resources.ts';
import { agentPods, readAgentPage } from '../agent-logs.ts';
import { installObjects } from '../install-objects.ts';
import { type Check, type CheckContext, type Finding, failed, ok, skipped, warning } from './check.ts';

const INSTALL = 'run headcut install of this version, or kubectl apply -f manifests/ with its manifests';

const MAX_SKEW_MS = 5_000;

/** The API server, and how its clock agrees with this machine's. */
const api: Check = {
  id: 'api',
  title: 'API server',
  aboutPeers: false,
  run: async ({ client, clock, signal }) => {
    const { body, headers } = await client.stream('/version', { signal });
    let text = '';
    for await (const chunk of body) text += String(chunk);
    const { gitVersion = 'unknown' } = JSON.parse(text) as { gitVersion?: string };
    const at = Date.parse(String(headers.date));
    const reached = ok(`answers, version ${gitVersion}`);
    if (Number.isNaN(at)) return [reached];
    const skewMs = Math.abs(clock.now() - at);
    return [
      reached,
      skewMs > MAX_SKEW_MS
        ? warning(
            `its clock is ${Math.round(skewMs / 1000)}s away from this machine's`,
            'set both by NTP; certificates and tokens are judged by these clocks',
          )
        : ok('its clock agrees with this machine'),
    ];
  },
};

const kinds: Check = {
  id: 'kinds',
  title: 'Kinds of headcut.dev',
  aboutPeers: false,
  run: async ({ client, signal }) => {
    const { resources = [] } = (await client.request('GET', '/apis/headcut.dev/v1alpha1', { signal })) as {
      resources?: { name: string }[];
    };
    const wanted = installObjects({}).filter((object) => object.kind === 'CustomResourceDefinition');
    const missing = wanted.map(pluralOf).filter((plural) => !resources.some(({ name }) => name === plural));
    if (missing.length > 0) return [failed(`the API server does not know ${missing.join(', ')}`, INSTALL)];
    return [ok(`all ${wanted.length} are served`), ...(await olderDefinitions(wanted, client, signal))];
  },
};

function pluralOf(definition: KubeObject): string {
  return (definition.spec as { names: { plural: string } }).names.plural;
}

const DEFINITIONS_PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/** Whether what is installed says all that this version's manifests say; the API server fills in more. */
async function olderDefinitions(wanted: KubeObject[], client: KubeClient, signal: AbortSignal): Promise<Finding[]> {
  try {
    const others = await Promise.all(
      wanted.map(async (definition) => {
        const { name } = definition.metadata;
        const installed = (await client.request('GET', `${DEFINITIONS_PATH}/${name}`, { signal })) as KubeObject;
        const at = firstDifference(definition.spec, installed.spec, 'spec');
        return at === undefined ? [] : [`${name} (${at})`];
      }),
    );
    const different = others.flat();
    if (different.length === 0) return [ok("their definitions are this version's")];
    return [warning(`not as this version has them: ${different.join(', ')}`, INSTALL)];
  } catch (error) {
    if (isForbidden(error)) return [skipped('their definitions: you may not read CustomResourceDefinitions')];
    throw error;
  }
}

const agent: Check = {
  id: 'agent',
  title: 'Agent',
  aboutPeers: false,
  run: async ({ client, version, signal }) => {
    const [pod] = await agentPods(client);
    if (pod === undefined) return [failed('no agent runs here', INSTALL)];
    const name = pod.metadata.name;
    if (!isReady(pod))
      return [
        failed(
          `pod ${name} is not Ready: ${notReadyReason(pod)}`,
          `look at headcut logs, and kubectl -n headcut-system describe pod ${name}`,
        ),
      ];
    return [ok(`pod ${name} is Ready`), ...(await restarts(pod)), ...(await agentPage(client, pod, version, signal))];
  },
};

function notReadyReason(pod: Pod): string {
  const waiting = pod.status?.containerStatuses?.find((one) => one.state?.waiting !== undefined)?.state?.waiting;
  return String(waiting?.reason ?? pod.status?.reason ?? pod.status?.phase ?? 'unknown');
}

const MANY_RESTARTS = 5;

function restarts(pod: Pod): Finding[] {
  const count = Math.max(0, ...(pod.status?.containerStatuses ?? []).map((one) => one.restartCount));
  if (count < MANY_RESTARTS) return [];
  return [warning(`it was restarted ${count} times`, 'headcut logs --previous shows why it ended last')];
}

/** What the agent says of itself: its version, and controllers that fail. */
async function agentPage(client: KubeClient, pod: Pod, version: string, signal: AbortSignal): Promise<Finding[]> {
  let metrics: string;
  let readiness: string;
  try {
    [metrics, readiness] = await Promise.all([
      readAgentPage(client, pod, 'metrics', signal),
      readAgentPage(client, pod, 'readyz?verbose', signal),
    ]);
  } catch (error) {
    if (isForbidden(error)) return [skipped('what it says of itself: you may not read pods/proxy in headcut-system')];
    return [warning(`it does not say how it is: ${messageOf(error)}`, 'see headcut logs')];
  }
  const running = /^headcut_build_info\{[^}]*version="([^"]*)"/m.exec(metrics)?.[1];
  // What failed and was made good since is no trouble.
  const failing = [...readiness.matchAll(/controller (\S+) .*errors=(\d+) stuck=(\d+) last error: (.*)/g)];
  return [
    running === undefined || running === version
      ? ok(`version ${running ?? 'unknown'}`)
      : warning(`version ${running}, while this command is ${version}`, 'use the command and the agent of one version'),
    ...failing.map(([, name, errors, stuck, last]) =>
      warning(
        `controller ${name} failed ${errors} times and still does, for ${stuck} objects; one: ${last}`,
        'it tries again by itself; see headcut logs',
      ),
    ),
  ];
}

const POLICIES = ['headcut-offload-pods', 'headcut-offload-pods-by-object', 'headcut-daemon-sets'];
const POLICY_PATH = '/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies';

const admission: Check = {
  id: 'admission',
  title: 'Admission policies',
  aboutPeers: false,
  run: async (context) => {
    const missing: string[] = [];
    for (const name of POLICIES) {
      try {
        await context.client.request('GET', `${POLICY_PATH}/${name}`, { signal: context.signal });
      } catch (error) {
        if (isForbidden(error)) return [skipped('you may not read admission policies')];
        if (!isNotFound(error)) throw error;
        missing.push(name);
      }
    }
    if (missing.length > 0)
      return [
        failed(
          `${missing.join(', ')} not there: no pod would ever leave`,
          `${INSTALL}; they need Kubernetes 1.36 or newer`,
        ),
      ];
    return [ok(`${POLICIES.join(', ')} are there`), ...(await tryPolicy(context))];
  },
};

/** Policies that are there may still not be in force: a pod is made for trial, and not kept. */
async function tryPolicy({ client, world, signal }: CheckContext): Promise<Finding[]> {
  const namespace = world.namespaces.find((one) => one.metadata.labels?.['headcut.dev/offload'] === 'true')?.metadata
    .name;
  if (namespace === undefined) return [skipped('their effect: no namespace has the label headcut.dev/offload=true')];
  const trial: Pod = {
    metadata: { name: 'headcut-doctor', namespace },
    spec: { containers: [{ name: 'trial', image: 'headcut.dev/none' }] },
  };
  const made = await client.create<Pod>(PODS, trial, { dryRun: true, signal });
  const works = made.spec.tolerations?.some((one) => one.key === VIRTUAL_NODE_TAINT) === true;
  return [
    works
      ? ok(`a pod made in ${namespace} may leave`)
      : failed(
          `a pod made in ${namespace} gets no toleration for virtual nodes`,
          'look at kubectl get mutatingadmissionpolicybindings, and at the log of the API server',
        ),
  ];
}

/** Objects of others that have a name which headcut wants. */
const foreign: Check = {
  id: 'foreign',
  title: 'Objects in the way',
  aboutPeers: true,
  run: async ({ world, peer: only }) => {
    const peers = world.peers.filter((one) => only === undefined || one.metadata.name === only);
    const nodes = peers
      .map((one) => virtualNodeName(one.metadata.name))
      .filter((name) => {
        const labels = world.nodes.find((node) => node.metadata.name === name)?.metadata.labels;
        return labels !== undefined && labels[PEER_LABEL] === undefined;
      });
    const twins = world.namespaces.filter((one) => isTakenTwin(one));
    if (nodes.length + twins.length === 0) return [ok('none')];
    return [
      ...nodes.map((name) =>
        failed(
          `node ${name} is not headcut's, so its peer has no virtual node`,
          `rename it, or let that member choose another name`,
        ),
      ),
      ...twins.map((one) =>
        failed(
          `namespace ${one.metadata.name} has the name of a twin and another owner's labels`,
          `rename it, or set its labels back: ${MANAGED_BY_LABEL} and ${ORIGIN_CLUSTER_LABEL}`,
        ),
      ),
    ];
  },
};

/** A twin whose labels say another origin than its name. */
function isTakenTwin({ metadata }: KubeObject): boolean {
  const { [ORIGIN_CLUSTER_LABEL]: cluster, 'headcut.dev/origin-namespace': namespace } = metadata.labels ?? {};
  if (cluster === undefined || namespace === undefined) return false;
  return !isTwinName(metadata.name, { cluster, namespace });
}

export const CLUSTER_CHECKS: Check[] = [api, kinds, agent, admission, foreign];
