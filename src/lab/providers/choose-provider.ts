import { CodedError } from '../../core/coded-error.ts';
import type { Clock } from '../../runtime/clock.ts';
import { readCgroupMounts } from '../cgroups.ts';
import type { ClusterProvider } from '../provider.ts';
import { createK0sProvider } from './k0s/k0s-provider.ts';
import type { KindPrograms } from './kind/container-engine.ts';
import { createKindProvider } from './kind/kind-provider.ts';
import { createKubernetesProvider } from './kubernetes-provider.ts';
import { createKwokProvider } from './kwok/kwok-provider.ts';

export interface ProviderDeps {
  clock: Clock;
  toolsFolder: string;
  /** Path of a k0s binary, where there is one. */
  k0sBinary: string | undefined;
  kind: KindPrograms;
  /** The checkout. */
  root: string;
}

const PROVIDERS: Record<string, (deps: ProviderDeps) => ClusterProvider> = {
  kind: ({ kind, clock }) => createKindProvider({ ...kind, clock }),
  k0s: (deps) => createK0sProvider({ ...deps, mounts: readCgroupMounts() }),
  kwok: (deps) => createKwokProvider({ ...deps, mounts: readCgroupMounts() }),
  kubernetes: (deps) => createKubernetesProvider({ ...deps, mounts: readCgroupMounts() }),
};

/** What a new lab is made of when the user does not say, and why. */
export function defaultProvider({ k0sBinary }: Pick<ProviderDeps, 'k0sBinary'>): { name: string; reason: string } {
  if (k0sBinary !== undefined) return { name: 'k0s', reason: `k0s is there: ${k0sBinary}` };
  return {
    name: 'kubernetes',
    reason: 'no k0s on the PATH or in HEADCUT_K0S; --provider k0s would download it',
  };
}

/** The provider that a user names. */
export function chooseProvider(name: string, deps: ProviderDeps): ClusterProvider {
  const create = PROVIDERS[name];
  if (create !== undefined) return create(deps);
  const known = Object.keys(PROVIDERS).join(', ');
  throw new CodedError('InvalidArgument', `there is no provider "${name}"; there is: ${known}`);
}
