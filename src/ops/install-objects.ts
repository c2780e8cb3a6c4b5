import objects from '../../manifests/generated/objects.json' with { type: 'json' };
import type { KubeObject } from '../core/kube-objects.ts';

/** What `headcut install` may be told about the objects. */
export interface InstallChoices {
  /** Image of the agent, instead of the one of this version. */
  image?: string | undefined;
  /** Also lets the approver approve the serving certificates of virtual nodes. */
  csrApprover?: boolean | undefined;
  /** For API servers that serve no MutatingAdmissionPolicy: the agent's webhook instead of the policies. */
  webhook?: boolean | undefined;
}

/**
 * The Deployments: of the agent, of the guard of fenced pods, which stops them when the agent cannot, and of what approves the
 * certificates of virtual nodes.
 */
export const AGENT = 'headcut';
export const DEPLOYMENT_NAMES = [AGENT, 'headcut-fence', 'headcut-approver'];
/** The pods of all. */
export const POD_SELECTOR = `app.kubernetes.io/name in (${DEPLOYMENT_NAMES.join()})`;

/** The kinds of what the webhook does instead. */
const POLICY_KINDS = ['MutatingAdmissionPolicy', 'MutatingAdmissionPolicyBinding'];

/** As manifests/ has it. */
const IMAGE_REPOSITORY = 'headcut.dev/headcut:';

/** All objects of an installation, in an order in which they can be made: those of manifests/. */
export function installObjects({ image, csrApprover = false, webhook = false }: InstallChoices): KubeObject[] {
  const install = objects.install.filter(({ kind }) => !webhook || !POLICY_KINDS.includes(kind));
  const all: unknown[] = [...install, ...(csrApprover ? objects.csrApprover : []), ...(webhook ? objects.webhook : [])];
  return withImage(all as KubeObject[], image);
}

/** The Job that removes what the pod network left on the node, with the image that the agent had. */
export function networkRemovalObjects(image: string | undefined): KubeObject[] {
  return withImage(objects.removeNetwork as unknown[] as KubeObject[], image);
}

/** The kinds of the Multi-Cluster Services API: not headcut's own, so they are made where there are none, and otherwise left alone. */
export function sharingKinds(): KubeObject[] {
  return objects.sharing as unknown[] as KubeObject[];
}

/** Every kind of object that an installation can have. */
export function possibleObjects(): KubeObject[] {
  return [
    ...objects.install,
    ...objects.csrApprover,
    ...objects.rebalance,
    ...objects.webhook,
  ] as unknown[] as KubeObject[];
}

/** What gives the right of the optional part for serving certificates. */
export function csrApproverBinding(): KubeObject | undefined {
  return (objects.csrApprover as unknown[] as KubeObject[]).find(({ kind }) => kind === 'ClusterRoleBinding');
}

/** One of the policies, to ask whether an API server serves their kind. */
export function policyObject(): KubeObject | undefined {
  return installObjects({}).find(({ kind = '' }) => POLICY_KINDS.includes(kind));
}

/**
 * With another image, which may come from its registry. That of manifests/ may not: it was imported, and who owns its name is nobody
 * to ask.
 */
function withImage(all: KubeObject[], image: string | undefined): KubeObject[] {
  if (image === undefined || image.startsWith(IMAGE_REPOSITORY))
    return image === undefined ? all : withName(all, image);
  return JSON.parse(JSON.stringify(withName(all, image)), (_key, value: unknown) =>
    isContainerOf(value, image) ? { ...value, imagePullPolicy: 'IfNotPresent' } : value,
  ) as KubeObject[];
}

function withName(all: KubeObject[], image: string): KubeObject[] {
  return JSON.parse(JSON.stringify(all), (key, value: unknown) =>
    key === 'image' && typeof value === 'string' && value.startsWith(IMAGE_REPOSITORY) ? image : value,
  ) as KubeObject[];
}

function isContainerOf(value: unknown, image: string): value is object {
  return typeof value === 'object' && value !== null && (value as { image?: unknown }).image === image;
}
