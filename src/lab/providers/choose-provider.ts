import { CodedError } from '../../core/coded-error.ts';
import type { Clock } from '../../runtime/clock.ts';
import { readCgroupMounts } from '../cgroups.ts';
import type { ClusterProvider } from '../provider.ts';
import { createKubernetesProvider } from './kubernetes/kubernetes-provider.ts';

export interface ProviderDeps {
  clock: Clock;
  toolsFolder: string;
}

const PROVIDERS: Record<string, (deps: ProviderDeps) => ClusterProvider> = {
  kubernetes: (deps) => createKubernetesProvider({ ...deps, mounts: readCgroupMounts() }),
};

export const DEFAULT_PROVIDER = 'kubernetes';

/** The provider that a user names. */
export function chooseProvider(name: string, deps: ProviderDeps): ClusterProvider {
  const create = PROVIDERS[name];
  if (create !== undefined) return create(deps);
  const known = Object.keys(PROVIDERS).join(', ');
  throw new CodedError('InvalidArgument', `there is no provider "${name}"; there is: ${known}`);
}
