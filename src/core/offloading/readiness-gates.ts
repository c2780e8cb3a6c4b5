import type { Condition, Pod } from '../kube-objects.ts';

/** The conditions for which a pod waits until it is Ready: somebody at home sets them, such as a load balancer's controller. */
export function gatesOf({ spec }: Pick<Pod, 'spec'>): string[] {
  const gates = (spec.readinessGates as { conditionType: string }[] | null | undefined) ?? [];
  return gates.map(({ conditionType }) => conditionType);
}

/**
 * The conditions that a provider tells, with Ready as a kubelet at home decides it (pkg/kubelet/status, GeneratePodReadyCondition): by
 * ContainersReady, which the provider knows, and the gates, which home knows.
 */
export function withGates(told: Condition[], local: Pod): Condition[] {
  const gates = gatesOf(local);
  const containers = told.find(({ type }) => type === 'ContainersReady');
  const remote = told.find(({ type }) => type === 'Ready');
  if (gates.length === 0 || containers?.status !== 'True' || remote === undefined) return told;
  const problems = gates.flatMap((gate) => problemOf(local, gate));
  const now = local.status?.conditions ?? [];
  const before = now.find(({ type }) => type === 'Ready');
  const status = problems.length === 0 ? 'True' : 'False';
  const times = [containers, ...now.filter(({ type }) => gates.includes(type))].flatMap(
    ({ lastTransitionTime }) => lastTransitionTime ?? [],
  );
  const since = before?.status === status ? before.lastTransitionTime : times.sort().at(-1);
  const ready: Condition = {
    type: 'Ready',
    status,
    ...(problems.length === 0 ? {} : { reason: 'ReadinessGatesNotReady', message: problems.join(', ') }),
    ...(since === undefined ? {} : { lastTransitionTime: since }),
  };
  return told.map((condition) => (condition === remote ? ready : condition));
}

function problemOf({ status }: Pod, gate: string): string[] {
  const condition = status?.conditions?.find(({ type }) => type === gate);
  if (condition === undefined) return [`corresponding condition of pod readiness gate "${gate}" does not exist.`];
  if (condition.status === 'True') return [];
  return [`the status of pod readiness gate "${gate}" is not "True", but ${condition.status}`];
}
