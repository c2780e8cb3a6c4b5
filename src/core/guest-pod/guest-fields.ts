import type { FieldRule, Fields } from './field-rule.ts';
import type { GuestTerms } from './guest-terms.ts';

/**
 * The fields of a pod that may run on another member: what is not here does not reach the provider's API server. Made from the
 * types of Kubernetes 1.36 (k8s.io/api core/v1); test/integration/guest-fields.test.ts holds it against a running API server.
 */

type Rule = FieldRule<GuestTerms>;
type RuleFields = Fields<GuestTerms>;

const take: Rule = { kind: 'take' };
const values: Rule = { kind: 'values' };
const map: Rule = { kind: 'map' };
/** Speaks of the home's nodes, scheduler, priorities, accounts or quotas: the provider has its own. */
const home: Rule = { kind: 'drop' };
const object = (fields: RuleFields): Rule => ({ kind: 'object', fields });
const list = (label: string, fields: RuleFields): Rule => ({ kind: 'list', label, of: object(fields) });
const refuse = (why: string, unless?: (value: unknown, terms: GuestTerms) => boolean): Rule => ({
  kind: 'refuse',
  why,
  ...(unless === undefined ? {} : { unless }),
});

const isPrivileged = (_value: unknown, terms: GuestTerms): boolean => terms.podSecurityLevel === 'privileged';

/** A kubelet asks from its node, which reaches what pods do not. */
const askedHost = refuse('names a host for a probe or a hook', isPrivileged);
const handler: RuleFields = {
  exec: object({ command: values }),
  httpGet: object({
    path: take,
    port: take,
    host: askedHost,
    scheme: take,
    httpHeaders: list('header', { name: take, value: take }),
  }),
  tcpSocket: object({ port: take, host: askedHost }),
};
const probe = object({
  ...handler,
  grpc: object({ port: take, service: take }),
  initialDelaySeconds: take,
  timeoutSeconds: take,
  periodSeconds: take,
  successThreshold: take,
  failureThreshold: take,
  terminationGracePeriodSeconds: take,
});
const hook = object({ ...handler, sleep: object({ seconds: take }) });

const profile = (kind: string): Rule =>
  object({ type: take, localhostProfile: refuse(`uses a ${kind} profile that lies on its node`) });
const security: RuleFields = {
  seLinuxOptions: object({ user: take, role: take, type: take, level: take }),
  windowsOptions: object({
    gmsaCredentialSpecName: take,
    gmsaCredentialSpec: take,
    runAsUserName: take,
    hostProcess: take,
  }),
  runAsUser: take,
  runAsGroup: take,
  runAsNonRoot: take,
  seccompProfile: profile('seccomp'),
  appArmorProfile: profile('AppArmor'),
};

const keys = list('item', { key: take, path: take, mode: take });
const fieldRef: Rule = {
  kind: 'object',
  fields: { apiVersion: take, fieldPath: take },
  also: ({ fieldPath }) => (isKnownPath(fieldPath) ? [] : ['reads a field of its pod that headcut does not know']),
};
const resourceFieldRef = object({ containerName: take, resource: take, divisor: take });
const downward = list('file', { path: take, fieldRef, resourceFieldRef, mode: take });

/** Paths of the downward API that are answered as at home, or are the same everywhere. */
const KNOWN_PATHS = new Set([
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'metadata.labels',
  'metadata.annotations',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]);

function isKnownPath(path: unknown): boolean {
  return (
    typeof path === 'string' && (KNOWN_PATHS.has(path) || /^metadata\.(labels|annotations)\['[^']+'\]$/.test(path))
  );
}

export const PROJECTED_SOURCES: RuleFields = {
  configMap: object({ name: take, items: keys, optional: take }),
  secret: object({ name: take, items: keys, optional: take }),
  serviceAccountToken: object({ audience: take, expirationSeconds: take, path: take }),
  downwardAPI: object({ items: downward }),
};

/** Volumes whose contents come with the pod, or are the pod's own. All others lie on a node or a storage system of its home. */
export const VOLUME_SOURCES: RuleFields = {
  configMap: object({ name: take, items: keys, defaultMode: take, optional: take }),
  secret: object({ secretName: take, items: keys, defaultMode: take, optional: take }),
  projected: {
    kind: 'object',
    fields: {
      defaultMode: take,
      sources: {
        kind: 'list',
        label: 'source',
        of: {
          kind: 'one-of',
          says: 'is of type',
          beside: {},
          sources: PROJECTED_SOURCES,
        },
      },
    },
  },
  downwardAPI: object({ items: downward, defaultMode: take }),
  emptyDir: object({ medium: take, sizeLimit: take }),
  image: object({ reference: take, pullPolicy: take }),
  persistentVolumeClaim: object({ claimName: take, readOnly: take }),
};

const resources = object({ limits: map, requests: map, claims: refuse('uses resource claims') });

const container: RuleFields = {
  name: take,
  image: take,
  command: values,
  args: values,
  workingDir: take,
  ports: list('port', { name: take, hostPort: take, containerPort: take, protocol: take, hostIP: take }),
  envFrom: list('source of variables', {
    prefix: take,
    configMapRef: object({ name: take, optional: take }),
    secretRef: object({ name: take, optional: take }),
  }),
  env: list('variable', {
    name: take,
    value: take,
    valueFrom: {
      kind: 'one-of',
      says: 'comes from',
      beside: {},
      sources: {
        fieldRef,
        resourceFieldRef,
        configMapKeyRef: object({ name: take, key: take, optional: take }),
        secretKeyRef: object({ name: take, key: take, optional: take }),
        fileKeyRef: object({ volumeName: take, path: take, key: take, optional: take }),
      },
    },
  }),
  resources,
  resizePolicy: list('resize policy', { resourceName: take, restartPolicy: take }),
  restartPolicy: take,
  restartPolicyRules: list('restart rule', { action: take, exitCodes: object({ operator: take, values }) }),
  volumeMounts: list('mount', {
    name: take,
    readOnly: take,
    recursiveReadOnly: take,
    mountPath: take,
    subPath: take,
    mountPropagation: take,
    subPathExpr: take,
  }),
  // Of claims: no other volume is a device.
  volumeDevices: list('device', { name: take, devicePath: take }),
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  lifecycle: object({ postStart: hook, preStop: hook, stopSignal: take }),
  terminationMessagePath: take,
  terminationMessagePolicy: take,
  imagePullPolicy: take,
  securityContext: object({
    ...security,
    capabilities: object({ add: values, drop: values }),
    privileged: take,
    readOnlyRootFilesystem: take,
    allowPrivilegeEscalation: take,
    procMount: take,
  }),
  stdin: take,
  stdinOnce: take,
  tty: take,
};

/** Takes or refuses a pod's spec. Levels of pod security are judged by the provider's API server, not here. */
export const GUEST_SPEC: Extract<Rule, { kind: 'object' }> = {
  kind: 'object',
  fields: {
    volumes: {
      kind: 'list',
      label: 'volume',
      of: { kind: 'one-of', says: 'is of type', beside: { name: take }, sources: VOLUME_SOURCES },
    },
    initContainers: list('init container', container),
    containers: list('container', container),
    ephemeralContainers: list('ephemeral container', { ...container, targetContainerName: take }),
    restartPolicy: take,
    terminationGracePeriodSeconds: take,
    activeDeadlineSeconds: take,
    dnsPolicy: take,
    dnsConfig: object({
      nameservers: values,
      searches: values,
      options: list('DNS option', { name: take, value: take }),
    }),
    hostNetwork: refuse('uses the network of its node (hostNetwork)'),
    // With these two a pod sees processes of the node, which only the level privileged allows.
    hostPID: take,
    hostIPC: take,
    // False puts the pod into a user namespace of its own, which is less and not more.
    hostUsers: take,
    shareProcessNamespace: take,
    securityContext: object({
      ...security,
      supplementalGroups: values,
      supplementalGroupsPolicy: take,
      fsGroup: take,
      fsGroupChangePolicy: take,
      seLinuxChangePolicy: take,
      // Which of them are safe is judged by pod security, and then by the kubelet.
      sysctls: list('sysctl', { name: take, value: take }),
    }),
    imagePullSecrets: list('pull secret', { name: take }),
    hostname: take,
    subdomain: take,
    setHostnameAsFQDN: take,
    hostnameOverride: take,
    hostAliases: list('host alias', { ip: take, hostnames: values }),
    readinessGates: list('readiness gate', { conditionType: take }),
    os: object({ name: take }),
    resources,
    runtimeClassName: {
      kind: 'refuse',
      why: (name) => `asks for the runtime class ${typeof name === 'string' ? name.slice(0, 64) : 'of no name'}`,
      unless: (name, terms) => terms.runtimeClasses.some((allowed) => allowed === name),
    },
    resourceClaims: refuse('uses resource claims'),
    // Where it may be scheduled, and when: it is bound already. The provider's taints are for the provider's owner to say.
    nodeName: home,
    nodeSelector: home,
    affinity: home,
    topologySpreadConstraints: home,
    tolerations: home,
    schedulerName: home,
    schedulingGates: home,
    schedulingGroup: home,
    workloadRef: home,
    priorityClassName: home,
    priority: home,
    preemptionPolicy: home,
    // Comes with the runtime class: the provider's own says it.
    overhead: home,
    // The provider gives the account of a guest, which has no token; tokens of the home come as a Secret.
    serviceAccountName: home,
    serviceAccount: home,
    automountServiceAccountToken: home,
    // The Services of its twin namespace are those of its home.
    enableServiceLinks: take,
  },
};
