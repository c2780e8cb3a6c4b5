import type { Offer } from '../exchange/offer.ts';
import type { OfferedClass } from '../exchange/volume.ts';
import { isLabelValue } from '../kube-names.ts';
import type { NodeInfo, ResourceList } from '../kube-objects.ts';
import { plainLine } from '../plain-text.ts';
import { QUANTITY_PATTERN, quantityFrom } from '../quantities/quantity.ts';

/** The labels of a provider's node that its virtual nodes have: what pods may choose by, and nothing that says who may be trusted. */
export const OFFERED_LABELS = [
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'topology.kubernetes.io/region',
  'node.kubernetes.io/instance-type',
] as const;

const NODE_INFO = [
  'architecture',
  'operatingSystem',
  'osImage',
  'kernelVersion',
  'kubeletVersion',
  'containerRuntimeVersion',
] as const;

const NATIVE_RESOURCE = /^(cpu|memory|ephemeral-storage|pods|hugepages-[0-9]{1,6}[KMG]i)$/;
/** As Kubernetes checks extended resources: a name in a domain of somebody else. */
const EXTENDED_RESOURCE =
  /^(?=[^/]{1,240}\/)(?!requests\.)[a-z0-9]([a-z0-9.-]*[a-z0-9])?\/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const OWN_DOMAIN = /(^|\.)kubernetes\.io\//;
const QUANTITY = new RegExp(QUANTITY_PATTERN);
const MAX_RESOURCES = 32;
const MAX_INFO = 256;
const MAX_CLASSES = 16;

/**
 * What counts of an offer that another member made: names from a list, values that Kubernetes takes, texts that are plain. What is not
 * so is left out; the rest counts.
 */
export function takenOffer(offer: Offer): Offer {
  const { reason, accepting, running, evacuate, storage } = offer;
  return {
    capacity: takenResources(offer.capacity),
    allocatable: takenResources(offer.allocatable),
    nodeInfo: takenInfo(offer.nodeInfo),
    labels: takenLabels(offer.labels),
    accepting: accepting === true,
    ...(typeof reason === 'string' ? { reason: plainLine(reason) } : {}),
    ...(running === true ? { running } : {}),
    ...(evacuate === true ? { evacuate } : {}),
    ...(storage === undefined ? {} : { storage: takenStorage(storage) }),
  };
}

/** Names are compared with what StorageClasses here ask for, and go nowhere else. */
function takenStorage(storage: readonly OfferedClass[]): OfferedClass[] {
  const known = storage.filter(
    ({ name, bytes }) => typeof name === 'string' && Number.isSafeInteger(bytes) && bytes >= 0,
  );
  return known.slice(0, MAX_CLASSES).map(({ name, bytes }) => ({ name, bytes }));
}

function takenResources(list: ResourceList): ResourceList {
  const taken = Object.entries(list).filter(([name, value]) => isResource(name, value));
  return Object.fromEntries(taken.slice(0, MAX_RESOURCES));
}

function isResource(name: string, value: string): boolean {
  const amount = QUANTITY.test(value) ? quantityFrom(value) : undefined;
  if (amount === undefined) return false;
  const isWhole = amount % 1000n === 0n;
  if (NATIVE_RESOURCE.test(name)) return name !== 'pods' || isWhole;
  return isWhole && EXTENDED_RESOURCE.test(name) && !OWN_DOMAIN.test(name);
}

function takenLabels(labels: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    OFFERED_LABELS.flatMap((name) => {
      const value = Object.hasOwn(labels, name) ? labels[name] : undefined;
      return value !== undefined && isWholeLabelValue(value) ? [[name, value]] : [];
    }),
  );
}

function takenInfo(info: NodeInfo): NodeInfo {
  const texts = NODE_INFO.flatMap((name) => {
    const value = Object.hasOwn(info, name) ? info[name] : undefined;
    if (typeof value !== 'string') return [];
    // These two become labels as well.
    const isName = name === 'architecture' || name === 'operatingSystem';
    return isName && !isWholeLabelValue(value) ? [] : [[name, plainLine(value, MAX_INFO)]];
  });
  return Object.fromEntries(texts) as NodeInfo;
}

/** An empty value says nothing of a node. */
function isWholeLabelValue(text: string): boolean {
  return text !== '' && isLabelValue(text);
}
