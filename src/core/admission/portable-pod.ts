import { PROJECTED_SOURCES, VOLUME_SOURCES } from '../guest-pod/guest-fields.ts';
import type { Pod } from '../kube-objects.ts';
import { holds, type ObjectRule } from './object-rule.ts';

/**
 * Which pods can run on a member with the settings that members have by default: those that ask for nothing that cannot travel, or that
 * pod-security "baseline" forbids. All others are made to run at home from the start. This is the one place where it is said: the
 * conditions in manifests/30-admission.yaml are made from it by `npm run manifests`.
 */

const all = (...rules: ObjectRule[]): ObjectRule => ({ kind: 'all', rules });
const any = (...rules: ObjectRule[]): ObjectRule => ({ kind: 'any', rules });
const has = (path: string): ObjectRule => ({ kind: 'has', path });
const among = (path: string, ...values: string[]): ObjectRule => ({ kind: 'among', path, values });
const notAmong = (path: string, ...values: string[]): ObjectRule => ({ kind: 'not-among', path, values });
const unset = (path: string, type: 'boolean' | 'number' | 'list' | 'text'): ObjectRule => ({
  kind: 'unset',
  path,
  type,
});
const each = (paths: string[], of: ObjectRule): ObjectRule => ({ kind: 'each', paths, of });

/** pod-security-admission/policy, check_capabilities_baseline.go. */
const CAPABILITIES = [
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE'],
  ...['SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
];
/** check_seLinuxOptions.go, 1.31. */
const SELINUX_TYPES = ['container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];
/** check_sysctls.go, those that each supported version allows (1.34). */
const SYSCTLS = [
  ...['kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.tcp_syncookies', 'net.ipv4.ping_group_range'],
  ...['net.ipv4.ip_unprivileged_port_start', 'net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_keepalive_time'],
  ...['net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes'],
  ...['net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'],
];
/** A profile of type Localhost is a file of the home's node. */
const OTHER_PROFILES = ['Unconfined', 'Localhost'];

/** What a pod and each of its containers can say. */
const confined = (path: string): ObjectRule[] => [
  notAmong(`${path}.seccompProfile.type`, ...OTHER_PROFILES),
  notAmong(`${path}.appArmorProfile.type`, ...OTHER_PROFILES),
  among(`${path}.seLinuxOptions.type`, ...SELINUX_TYPES),
  unset(`${path}.seLinuxOptions.user`, 'text'),
  unset(`${path}.seLinuxOptions.role`, 'text'),
  unset(`${path}.windowsOptions.hostProcess`, 'boolean'),
];

const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle.postStart', 'lifecycle.preStop'];
const CONTAINERS = ['spec.containers', 'spec.initContainers'];

/** One that is the same everywhere. */
const ANY_VOLUME = any(
  ...Object.keys(VOLUME_SOURCES)
    .filter((source) => !['projected', 'persistentVolumeClaim'].includes(source))
    .map(has),
  all(has('projected'), each(['projected.sources'], any(...Object.keys(PROJECTED_SOURCES).map(has)))),
);

const NO_HOSTS = PROBES.flatMap((probe) =>
  ['httpGet', 'tcpSocket'].map((way) => unset(`${probe}.${way}.host`, 'text')),
);

/** By name, in the order in which the API server looks at them. */
export const PORTABLE_POD: Readonly<Record<string, ObjectRule>> = {
  'free-to-move': all(
    unset('spec.nodeName', 'text'),
    unset('spec.runtimeClassName', 'text'),
    unset('spec.resourceClaims', 'list'),
    unset('spec.resources.claims', 'list'),
    each(['metadata.ownerReferences'], notAmong('kind', 'DaemonSet')),
  ),
  'no-host-namespaces': all(
    unset('spec.hostNetwork', 'boolean'),
    unset('spec.hostPID', 'boolean'),
    unset('spec.hostIPC', 'boolean'),
  ),
  'portable-volumes': each(['spec.volumes'], ANY_VOLUME),
  'no-privileges-of-the-pod': all(
    ...confined('spec.securityContext'),
    each(['spec.securityContext.sysctls'], among('name', ...SYSCTLS)),
    {
      kind: 'values-among',
      path: 'metadata.annotations',
      prefix: 'container.apparmor.security.beta.kubernetes.io/',
      values: ['runtime/default'],
    },
  ),
  'no-privileges-of-containers': each(
    CONTAINERS,
    all(
      unset('securityContext.privileged', 'boolean'),
      among('securityContext.procMount', 'Default'),
      ...confined('securityContext'),
      each(['ports'], unset('hostPort', 'number')),
      { kind: 'each-among', path: 'securityContext.capabilities.add', values: CAPABILITIES },
    ),
  ),
  'nothing-of-the-node': each(
    CONTAINERS,
    all(unset('volumeDevices', 'list'), unset('resources.claims', 'list'), ...NO_HOSTS),
  ),
};

/** The same of a pod whose claims travel: these are volumes, and devices, as others are. */
export const PORTABLE_WITH_CLAIMS: Readonly<Record<string, ObjectRule>> = {
  ...PORTABLE_POD,
  'portable-volumes': each(['spec.volumes'], any(has('persistentVolumeClaim'), has('ephemeral'), ANY_VOLUME)),
  'nothing-of-the-node': each(CONTAINERS, all(unset('resources.claims', 'list'), ...NO_HOSTS)),
};

/** Annotations of a pod, the name of a volume behind it: its claim is of a class that travels. Noted by the policies in 31-claims.yaml. */
export const NOTED_CLAIM_PREFIX = 'volumes.headcut.dev/';

const isTravellingCel = (name: string): string => `(${name} == 'headcut' || ${name}.startsWith('headcut-'))`;

/** Says of a pod that each of its claims is noted, or made by a template of a class that travels. As `hasNotedClaims`. */
export const NOTED_CLAIMS_CEL = `object.spec.?volumes.orValue([]).all(v, has(v.persistentVolumeClaim) ? object.metadata.?annotations[?('${NOTED_CLAIM_PREFIX}' + v.name)].orValue('') == v.persistentVolumeClaim.claimName : !has(v.ephemeral) || ${isTravellingCel("v.?ephemeral.volumeClaimTemplate.spec.storageClassName.orValue('')")})`;

function hasNotedClaims({ metadata: { annotations = {} }, spec }: Pod): boolean {
  return (spec.volumes ?? []).every(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim !== undefined)
      return (
        annotations[`${NOTED_CLAIM_PREFIX}${name}`] === (persistentVolumeClaim as { claimName?: string }).claimName
      );
    if (ephemeral === undefined) return true;
    const { volumeClaimTemplate } = ephemeral as { volumeClaimTemplate?: { spec?: { storageClassName?: string } } };
    return isTravellingClassName(volumeClaimTemplate?.spec?.storageClassName);
  });
}

/** Our classes have these names, since policies know no provisioners. */
export function isTravellingClassName(name: string | undefined): boolean {
  return name === 'headcut' || name?.startsWith('headcut-') === true;
}

export function isPortablePod(pod: Pod): boolean {
  return Object.values(PORTABLE_WITH_CLAIMS).every((rule) => holds(rule, pod)) && hasNotedClaims(pod);
}
