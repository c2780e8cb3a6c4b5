import { counted, listed } from '../core/explain/age.ts';
import type { Approved } from './approve.ts';
import type { DrainProgress } from './drain.ts';
import type { Forgotten } from './forget.ts';
import type { Offloaded, UnoffloadProgress } from './offload.ts';
import type { RebalanceProgress } from './rebalance.ts';

/** What operations did, or would do, as sentences: the same on a terminal and in the console. */

/** Of offload, unoffload and drain. */
export function describeMoveStep(step: UnoffloadProgress | DrainProgress, dryRun: boolean): string {
  switch (step.type) {
    case 'closed':
      return step.changed ? 'new pods stay at home' : 'new pods stay at home already';
    case 'cordoned':
      return step.changed ? `no more pods go to ${step.node}` : `no more pods go to ${step.node} already`;
    case 'maintenance':
      return step.changed ? 'no more pods of peers come here' : 'no more pods of peers come here already';
    case 'asked':
      return `its home is to move ${step.pod}`;
    case 'evicted':
      return `moving ${step.pod}`;
    case 'held-back':
      return `waiting with ${step.pod}: ${step.message}`;
    case 'left':
      return `left ${step.pod}: ${step.why}`;
    case 'gone':
      return dryRun
        ? `${counted(step.count, 'pod')} would be moved`
        : step.count === 0
          ? 'no pods to move'
          : `done, ${counted(step.count, 'pod')} moved`;
  }
}

/** Of rebalance. */
export function describeRebalanceStep(step: RebalanceProgress, dryRun: boolean): string {
  switch (step.type) {
    case 'moving':
      return `moving ${step.pod} from ${step.from}; ${step.to} has the fewest`;
    case 'held-back':
      return `waiting with ${step.pod}: ${step.message}`;
    case 'kept':
      return `${step.pod} stays: its replicas are no more even after a move; affinity or spread constraints of its own may decide`;
    case 'even':
      if (dryRun)
        return step.moved === 0 ? 'the replicas are even' : `${counted(step.moved, 'replica')} would be moved first`;
      return step.moved === 0
        ? 'the replicas were even already'
        : `the replicas are even, ${counted(step.moved, 'move')} made`;
  }
}

export function offloadedText({ namespace, changed }: Offloaded, dryRun: boolean): string {
  return changed
    ? `Namespace ${namespace}${dryRun ? ' would be' : ' is'} offloaded: its new pods may run on other members.`
    : `Namespace ${namespace} is offloaded already.`;
}

/** What becomes of pods that were made before their namespace was offloaded. */
export function podsBeforeText({ namespace, podsBefore }: Offloaded): string {
  return `Its ${podsBefore} pods of before stay where they are until they are made anew: kubectl -n ${namespace} rollout restart deployment`;
}

export function approvedText({ id, name, already }: Approved, dryRun: boolean): string {
  const who = `${name} (${id.slice(0, 12)})`;
  return already ? `${who} is a member already.` : dryRun ? `Would approve ${who}.` : `Approved ${who}.`;
}

/** The result, and then what else there is to know. */
export function forgottenTexts(done: Forgotten, dryRun: boolean): string[] {
  const { id, name, pods, podsHere, newcomers, podsAwaited = 0, nodeLeft } = done;
  const guests = counted(podsHere, 'pod');
  const text = dryRun
    ? `Would forget ${name}, to which ${counted(pods, 'pod')} of ours ${pods === 1 ? 'is' : 'are'} bound${podsHere === 0 ? '' : `, and end ${guests} of it here`}.`
    : `Forgot ${name}; the other members still know it. It comes back only by a new invitation.${podsHere === 0 ? '' : ` In a minute ${guests} of it here ${podsHere === 1 ? 'ends' : 'end'}, unless it is back in half of that.`}`;
  const came =
    newcomers === undefined
      ? []
      : [
          `${counted(newcomers.length, 'peer')} came in by its word or by theirs, and stay: ${listed(newcomers)}; headcut ban ${id} --with-newcomers ends theirs too`,
        ];
  const awaited =
    podsAwaited === 0
      ? []
      : [
          `${counted(podsAwaited, 'pod')} of which there must be one may still run there: replaced when sure to have stopped (10 s after their fencing time, which is 30 s if nothing else is set); the virtual node stays until then`,
        ];
  const left =
    nodeLeft === undefined
      ? []
      : [
          `Missing on this side: node ${nodeLeft} is still there, since the agent did not remove it; it does once it runs: kubectl -n headcut-system get pods`,
        ];
  return [text, ...came, ...awaited, ...left];
}
