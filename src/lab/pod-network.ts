import { CodedError } from '../core/coded-error.ts';

/** What connects the pods of a lab's clusters: chosen when the lab is made, and the same in all of them. */
export interface PodNetwork {
  cni: Cni;
  /** What kube-proxy programs. */
  kubeProxy: ProxyMode;
}

/** `bridge`: the CNI plugin alone. `kube-router` is what k0s has by default; it enforces NetworkPolicies, the others do not. */
export const CNIS = ['bridge', 'flannel', 'kube-router'] as const;
export type Cni = (typeof CNIS)[number];

export const PROXY_MODES = ['iptables', 'nftables'] as const;
export type ProxyMode = (typeof PROXY_MODES)[number];

export const DEFAULT_POD_NETWORK: PodNetwork = { cni: 'bridge', kubeProxy: 'iptables' };

/** @param option that was given it, for the message @param text undefined where the option was left out, and so is what it gives */
export function parseChoice<T extends string>(
  option: string,
  choices: readonly T[],
  text: string | undefined,
): T | undefined {
  const found = choices.find((choice) => choice === text);
  if (text === undefined || found !== undefined) return found;
  throw new CodedError('InvalidArgument', `${option} takes ${choices.join(', ')}, not "${text}"`);
}
