import type { Pod } from '../kube-objects.ts';
import type { ContainerStats, PodStats, PodUsage } from './summary.ts';

/** Amounts above this are none: Go reads them as 64-bit integers, and sums of them stay numbers. */
const MOST = 2 ** 53;

/**
 * What counts of the statistics that another member tells of a pod: under the pod's own name, of containers that it has, and in
 * numbers. Whoever scales or shows by them would else believe it about pods that do not run there.
 */
export function takenStats(told: PodUsage, { metadata, spec }: Pick<Pod, 'metadata' | 'spec'>): PodStats {
  const { name, namespace = '', uid = '' } = metadata;
  const all = [spec.containers, spec.initContainers, spec.ephemeralContainers] as ({ name: string }[] | undefined)[];
  const open = new Set(all.flatMap((some) => (some ?? []).map((one) => one.name)));
  const containers = (told.containers ?? []).filter((one) => open.delete(one.name)).map(takenContainer);
  return {
    ...takenAmounts(told),
    ...(told.containers === undefined ? {} : { containers }),
    podRef: { name, namespace, uid },
  };
}

function takenContainer(told: ContainerStats): ContainerStats {
  return { ...takenAmounts(told), name: told.name };
}

/** The fields that are read here: their numbers; others are data for whoever asks for them. */
function takenAmounts<T extends object>(told: T): T {
  const taken = { ...told } as Record<string, unknown>;
  for (const field of ['cpu', 'memory', 'swap']) if (field in taken) taken[field] = amountsIn(taken[field]);
  return taken as T;
}

function amountsIn(told: unknown): unknown {
  if (typeof told !== 'object' || told === null) return undefined;
  const isAmount = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= MOST;
  return Object.fromEntries(
    Object.entries(told).filter(([name, value]) => (name === 'time' ? typeof value === 'string' : isAmount(value))),
  );
}
