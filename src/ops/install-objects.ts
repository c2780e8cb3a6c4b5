import objects from '../../manifests/generated/objects.json' with { type: 'json' };
import type { KubeObject } from '../core/kube-objects.ts';

/** What `headcut install` may be told about the objects. */
export interface InstallChoices {
  /** Image of the agent, instead of the one of this version. */
  image?: string | undefined;
  /** Also lets the agent approve the serving certificates of its virtual nodes. */
  csrApprover?: boolean | undefined;
  /** For API servers that serve no MutatingAdmissionPolicy: the agent's webhook instead of the policies. */
  webhook?: boolean | undefined;
}

/** The Deployment of the agent, and that of the guard of fenced pods, which stops them when the agent cannot. */
export const AGENT = 'headcut';
export const GUARD = 'headcut-fence';
/** The pods of both. */
export const POD_SELECTOR = `app.kubernetes.io/name in (${AGENT},${GUARD})`;

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

/** Every kind of object that an installation can have. */
export function possibleObjects(): KubeObject[] {
  return [
    ...objects.install,
    ...objects.csrApprover,
    ...objects.rebalance,
    ...objects.webhook,
  ] as unknown[] as KubeObject[];
}

/** One of the policies, to ask whether an API server serves their kind. */
export function policyObject(): KubeObject | undefined {
  return installObjects({}).find(({ kind = '' }) => POLICY_KINDS.includes(kind));
}

function withImage(all: KubeObject[], image: string | undefined): KubeObject[] {
  if (image === undefined) return all;
  return JSON.parse(JSON.stringify(all), (key, value: unknown) =>
    key === 'image' && typeof value === 'string' && value.startsWith(IMAGE_REPOSITORY) ? image : value,
  ) as KubeObject[];
}
