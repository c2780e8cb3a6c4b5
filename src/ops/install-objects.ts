import objects from '../../manifests/generated/objects.json' with { type: 'json' };
import type { KubeObject } from '../core/kube-objects.ts';

/** What `headcut install` may be told about the objects. */
export interface InstallChoices {
  /** Image of the agent, instead of the one of this version. */
  image?: string | undefined;
  /** Also lets the agent approve the serving certificates of its virtual nodes. */
  csrApprover?: boolean | undefined;
}

/** As manifests/ has it. */
const IMAGE_REPOSITORY = 'headcut.dev/headcut:';

/** All objects of an installation, in an order in which they can be made: those of manifests/. */
export function installObjects({ image, csrApprover = false }: InstallChoices): KubeObject[] {
  const all: unknown[] = [...objects.install, ...(csrApprover ? objects.csrApprover : [])];
  return withImage(all as KubeObject[], image);
}

/** The Job that removes what the pod network left on the node, with the image that the agent had. */
export function networkRemovalObjects(image: string | undefined): KubeObject[] {
  return withImage(objects.removeNetwork as unknown[] as KubeObject[], image);
}

function withImage(all: KubeObject[], image: string | undefined): KubeObject[] {
  if (image === undefined) return all;
  return JSON.parse(JSON.stringify(all), (key, value: unknown) =>
    key === 'image' && typeof value === 'string' && value.startsWith(IMAGE_REPOSITORY) ? image : value,
  ) as KubeObject[];
}
