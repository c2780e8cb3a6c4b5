import { CodedError } from '../core/coded-error.ts';
import type { LabContext } from './lab-context.ts';
import { readLabState } from './lab-state.ts';
import { chooseProvider } from './providers/choose-provider.ts';
import { createTopology, labFolderOf } from './topology.ts';
import type { LabDeps } from './up.ts';

/** The lab of that name that `up` made in this checkout. */
export function openLab(name: string, deps: LabDeps): LabContext {
  const folder = labFolderOf(deps.root, name);
  const state = readLabState(folder);
  if (state === undefined) throw new CodedError('NotFound', `there is no lab "${name}"; scripts/lab up makes one`);
  return { ...deps, topology: createTopology({ ...state, folder }), provider: chooseProvider(state.provider, deps) };
}
