import type { KubeObject } from '../../../core/kube-objects.ts';
import type { ResourceType } from '../../../kube/resources.ts';

/** An object that the lab makes in a cluster. */
export interface LabObject {
  type: ResourceType;
  object: KubeObject;
}
