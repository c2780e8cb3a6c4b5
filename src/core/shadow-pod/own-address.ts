import type { Container, EnvVar, PodSpec } from '../kube-objects.ts';
import { withGateVolume } from './gate-volume.ts';

/**
 * A pod that asks for its own address by the downward API gets the one by which all members reach it, as its home shows it: the gate asks
 * the nameserver for that and writes it into a file, from which the kubelet takes variables of the other containers.
 */

const ADDRESS_VOLUME = 'headcut-address';
const FILE_NAME = 'address';
/** Where the gate finds the folder of the file. */
const GATE_FOLDER = '/headcut-address';
export const ADDRESS_FILE = `${GATE_FOLDER}/${FILE_NAME}`;
/** Of the container that writes the file. */
export const ADDRESS_MOUNT = { name: ADDRESS_VOLUME, mountPath: GATE_FOLDER };

/** The name under which the agent's nameserver tells a pod the address by which others know it. */
export const OWN_ADDRESS_NAME = 'own.address.headcut';

/** Pod annotation: `Local` for a program that listens at its own address alone, which is then the one of its interface. */
export const POD_IP_ANNOTATION = 'headcut.dev/pod-ip';

/** Kubernetes 1.35 has variables from files by default (KEP-3721). */
const FIRST_MINOR = 35;

/** @param kubeletVersion of the node, such as `v1.36.3` */
export function hasVariablesFromFiles(kubeletVersion: string | undefined): boolean {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(kubeletVersion ?? '') ?? [];
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= FIRST_MINOR);
}

/** Whether a pod asks for its address, so that somebody has to say it. */
export function asksOwnAddress(spec: PodSpec, annotations: Readonly<Record<string, string>> = {}): boolean {
  if (annotations[POD_IP_ANNOTATION] === 'Local' || spec.volumes?.some(({ name }) => name === ADDRESS_VOLUME))
    return false;
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  return containers.some(({ env }) => env?.some((variable) => keyOf(variable) !== undefined));
}

/** The pod with such variables from the file. */
export function withOwnAddress(spec: PodSpec): PodSpec {
  return withGateVolume(spec, ADDRESS_VOLUME, fromFile);
}

/** As a kubelet reads it (pkg/kubelet/util/env). */
export function toAddressFile(address: string): string {
  return `podIP='${address}'\npodIPs='${address}'\n`;
}

function fromFile(container: Container): Container {
  const { env } = container;
  return env === undefined ? container : { ...container, env: env.map(variableFromFile) };
}

function variableFromFile(variable: EnvVar): EnvVar {
  const key = keyOf(variable);
  if (key === undefined) return variable;
  const fileKeyRef = { volumeName: ADDRESS_VOLUME, path: FILE_NAME, key };
  return { name: variable.name, valueFrom: { fileKeyRef } };
}

function keyOf({ valueFrom }: EnvVar): 'podIP' | 'podIPs' | undefined {
  switch (valueFrom?.fieldRef?.fieldPath) {
    case 'status.podIP':
      return 'podIP';
    case 'status.podIPs':
      return 'podIPs';
    default:
      return undefined;
  }
}
