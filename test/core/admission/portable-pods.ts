/** Pod specs, in words, for the rule that says which pods may leave: with the pure function, and with both kinds of admission. */

const container = (fields: object) => ({ containers: [{ name: 'c', image: 'x', ...fields }] });
const security = (securityContext: object) => container({ securityContext });
const ofPod = (securityContext: object) => ({ securityContext });
const init = (fields: object) => ({ ...container({}), initContainers: [{ name: 'i', image: 'x', ...fields }] });
const host = { httpGet: { host: '127.0.0.1', port: 10_248, path: '/healthz' } };
const volume = (source: object) => ({ volumes: [{ name: 'v', ...source }] });

/** What pod-security "baseline" forbids, and what cannot travel. */
export const STAYING: Readonly<Record<string, object>> = {
  'no seccomp profile for the pod': ofPod({ seccompProfile: { type: 'Unconfined' } }),
  'a seccomp profile of its node': ofPod({ seccompProfile: { type: 'Localhost', localhostProfile: 'p.json' } }),
  'a seccomp profile of its node for a container': security({
    seccompProfile: { type: 'Localhost', localhostProfile: 'p.json' },
  }),
  'no AppArmor for the pod': ofPod({ appArmorProfile: { type: 'Unconfined' } }),
  'an AppArmor profile of its node': security({ appArmorProfile: { type: 'Localhost', localhostProfile: 'p' } }),
  'a type of SELinux': ofPod({ seLinuxOptions: { type: 'spc_t' } }),
  'a type of SELinux for a container': security({ seLinuxOptions: { type: 'spc_t' } }),
  'a user of SELinux': ofPod({ seLinuxOptions: { user: 'system_u' } }),
  'a role of SELinux for an init container': init({ securityContext: { seLinuxOptions: { role: 'r' } } }),
  'an unsafe sysctl': ofPod({ sysctls: [{ name: 'kernel.msgmax', value: '65536' }] }),
  'a bare /proc': { hostUsers: false, ...security({ procMount: 'Unmasked' }) },
  'a capability to write packets': security({ capabilities: { add: ['NET_RAW'] } }),
  'all capabilities': security({ capabilities: { add: ['ALL'] } }),
  'a liveness probe of a host': container({ livenessProbe: host }),
  'a readiness probe of a host': container({ readinessProbe: { tcpSocket: { host: '10.0.0.1', port: 1 } } }),
  'a startup probe of a host': container({ startupProbe: host }),
  'a hook to a host': container({ lifecycle: { preStop: host } }),
  'a first hook to a host': container({ lifecycle: { postStart: host } }),
  'a probe of a host for a sidecar': init({ restartPolicy: 'Always', livenessProbe: host }),
  'a host port of an init container': init({ ports: [{ containerPort: 1, hostPort: 1 }] }),
  'an NFS volume': volume({ nfs: { server: '192.0.2.9', path: '/' } }),
  'a CSI volume': volume({ csi: { driver: 'd' } }),
  'a claim made for it': volume({
    ephemeral: {
      volumeClaimTemplate: {
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
    },
  }),
};

/** What any member takes. */
export const LEAVING: Readonly<Record<string, object>> = {
  'the default profiles': ofPod({
    seccompProfile: { type: 'RuntimeDefault' },
    appArmorProfile: { type: 'RuntimeDefault' },
  }),
  'a type of SELinux for containers': ofPod({ seLinuxOptions: { type: 'container_t', level: 's0:c1' } }),
  'safe sysctls': ofPod({
    sysctls: [
      { name: 'net.ipv4.ip_unprivileged_port_start', value: '80' },
      { name: 'net.ipv4.tcp_keepalive_time', value: '77' },
    ],
  }),
  'probes of its own': container({
    livenessProbe: { httpGet: { port: 80, path: '/' } },
    readinessProbe: { exec: { command: ['true'] } },
    startupProbe: { grpc: { port: 1 } },
    lifecycle: { preStop: { sleep: { seconds: 1 } }, postStart: { exec: { command: ['true'] } } },
  }),
  'users and groups': ofPod({ runAsUser: 1, fsGroup: 2, supplementalGroups: [3] }),
  'all capabilities dropped': security({ capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } }),
  'an image as a volume': volume({ image: { reference: 'x' } }),
};
