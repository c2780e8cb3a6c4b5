import type { Container, PodSpec, PodStatus } from '../kube-objects.ts';
import { HOSTS_MOUNT, type HostsChange, withoutHostsMount } from './hosts-file.ts';
import { ADDRESS_MOUNT } from './own-address.ts';

/**
 * A fenced pod has one init container more on its provider, the gate, which ends when the pod's home consents. It holds back what
 * a kubelet starts by itself: after a power loss the pod may run elsewhere by now. A pod that needs a hosts file of its own
 * (hosts-file.ts), or its address (own-address.ts), has it from the gate as well.
 */
export const GATE_CONTAINER = 'headcut-gate';

/** The names that the agent's nameserver answers for gates: `UID.gate.headcut` exists while that pod may run. */
const GATE_SUFFIX = '.gate.headcut';

export function gateName(uid: string): string {
  return `${uid}${GATE_SUFFIX}`;
}

/** The UID in the name that a gate asks for; undefined for any other name. */
export function uidOfGateName(name: string): string | undefined {
  const bare = name.toLowerCase().replace(/\.$/, '');
  return bare.endsWith(GATE_SUFFIX) ? bare.slice(0, -GATE_SUFFIX.length) : undefined;
}

export interface GateWork {
  /**
   * UID of the shadow pod for which to ask, which this cluster gave it: what a consumer says may be what another one says (pods of
   * earlier versions ask by that). Undefined: the pod needs nobody's consent.
   */
  uid: string | undefined;
  hosts: HostsChange | undefined;
  /** The pod is to be told the address by which others know it (own-address.ts). */
  address: boolean;
}

/** @param image the agent's own, which is on the node already */
export function gateContainer(
  spec: PodSpec,
  { uid, hosts, address }: GateWork,
  { image, imagePullPolicy, nameserver }: { image: string; imagePullPolicy?: string | undefined; nameserver: string },
): Container {
  return {
    name: GATE_CONTAINER,
    image,
    imagePullPolicy: imagePullPolicy ?? 'IfNotPresent',
    command: [
      '/usr/local/bin/node',
      '--max-semi-space-size=1',
      '--max-old-space-size=16',
      '/app/gate.mjs',
      ...(hosts === undefined ? [] : ['--hosts', JSON.stringify(hosts)]),
      ...(address ? ['--address', nameserver] : []),
      ...(uid === undefined ? [] : [nameserver, gateName(uid)]),
    ],
    ...(hosts === undefined && !address
      ? {}
      : { volumeMounts: [...(hosts === undefined ? [] : [HOSTS_MOUNT]), ...(address ? [ADDRESS_MOUNT] : [])] }),
    // What pod-security "restricted" asks for.
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...(isGuaranteed(spec) ? { resources: { requests: GATE_RESOURCES, limits: GATE_RESOURCES } } : {}),
  };
}

/** An init container without them would take the pod out of its class; they come before and not beside those of the pod. */
const GATE_RESOURCES = { cpu: '50m', memory: '64Mi' };

function isGuaranteed({ containers }: PodSpec): boolean {
  return (
    Array.isArray(containers) &&
    containers.every((container) => {
      const { limits } = (container?.resources ?? {}) as { limits?: Record<string, unknown> | null };
      return limits?.cpu !== undefined && limits.memory !== undefined;
    })
  );
}

/** The status as the pod's home knows the pod, which has no gate there, and nothing of it. */
export function withoutGate(status: PodStatus): PodStatus {
  const { initContainerStatuses, ...rest } = withoutHostsMount(status);
  const own = initContainerStatuses?.filter(({ name }) => name !== GATE_CONTAINER) ?? [];
  return own.length === 0 ? rest : { ...rest, initContainerStatuses: own };
}
