import { CodedError } from '../core/coded-error.ts';
import type { Clock } from '../runtime/clock.ts';
import type { LabContext } from './lab-context.ts';
import { claimLabName } from './lab-registry.ts';
import { type LabState, readLabState, writeLabState } from './lab-state.ts';
import { raiseMachineLimits } from './machine-limits.ts';
import { listNamespaces, readHostRoutes } from './network.ts';
import { DEFAULT_POD_NETWORK, type PodNetwork } from './pod-network.ts';
import type { Progress } from './progress.ts';
import type { ClusterProvider } from './provider.ts';
import { chooseProvider, defaultProvider } from './providers/choose-provider.ts';
import type { KindPrograms } from './providers/kind/container-engine.ts';
import { clustersStep } from './steps/clusters.ts';
import { demoStep } from './steps/demo.ts';
import { federationStep } from './steps/federation.ts';
import { imagesStep } from './steps/images.ts';
import { chooseSubnet, collides } from './subnet.ts';
import { createTopology, labFolderOf } from './topology.ts';

export interface LabDeps {
  clock: Clock;
  progress: Progress;
  /** The checkout. */
  root: string;
  toolsFolder: string;
  /** Path of a k0s binary, where there is one. */
  k0sBinary: string | undefined;
  /** What labs of kind are made with. */
  kind: KindPrograms;
  signal: AbortSignal;
}

export interface UpOptions {
  name: string;
  clusterCount?: number | undefined;
  provider?: string | undefined;
  /** Names of clusters that are to be behind a router, with outbound connections only. */
  nat?: string[] | undefined;
  cni?: PodNetwork['cni'] | undefined;
  kubeProxy?: PodNetwork['kubeProxy'] | undefined;
  /** False: only bare clusters. */
  federation: boolean;
}

const DEFAULT_CLUSTERS = 3;

/** Brings a lab up, or what is missing of it. */
export async function bringUp(options: UpOptions, deps: LabDeps): Promise<LabContext> {
  const context = await prepareLab(options, deps);
  raiseMachineLimits(deps.progress);
  const steps = options.federation ? [clustersStep, imagesStep, federationStep, demoStep] : [clustersStep];
  for (const step of steps) {
    deps.progress.say(step.title);
    await step.run(context);
  }
  return context;
}

async function prepareLab(options: UpOptions, deps: LabDeps): Promise<LabContext> {
  const folder = labFolderOf(deps.root, options.name);
  const existing = readLabState(folder);
  const hasNetwork = existing?.provider === 'kind' || (await listNamespaces()).includes(`headcut-${options.name}-net`);
  const fallback = defaultProvider(deps);
  const routes = await readHostRoutes();
  const state = planLabState(options, { existing, hasNetwork, routes, defaultProvider: fallback.name });
  if (options.provider === undefined && existing === undefined)
    deps.progress.say(`clusters of ${fallback.name} (${fallback.reason})`);
  const topology = createTopology({ ...state, folder });
  const provider = chooseProvider(state.provider, deps);
  checkProvider(provider, state);
  // Before anything is written: a lab that cannot be made leaves nothing.
  await provider.checkMachine();
  claimLabName(options.name, folder);
  writeLabState(folder, state);
  return { ...deps, topology, provider };
}

/** Throws when this kind of cluster cannot have what was asked for. */
function checkProvider(provider: ClusterProvider, { nat, cni, kubeProxy }: LabState): void {
  if (!provider.usesLabNetwork && nat !== undefined)
    throw new CodedError(
      'InvalidArgument',
      `clusters of ${provider.name} cannot be behind a router of the lab; leave --nat out`,
    );
  const choosesNetwork = provider.usesLabNetwork && provider.runsContainers;
  if (!choosesNetwork && (cni ?? kubeProxy) !== undefined)
    throw new CodedError(
      'InvalidArgument',
      `the lab does not decide what connects pods of ${provider.name}; leave --cni and --kube-proxy out`,
    );
}

export interface LabWorld {
  existing: LabState | undefined;
  /** The lab's network exists, or it needs none; its own route is then no collision. */
  hasNetwork: boolean;
  routes: readonly string[];
  /** For a new lab. */
  defaultProvider: string;
}

/** What the lab is to be: as asked for, as far as that fits what there is already. */
export function planLabState(options: UpOptions, world: LabWorld): LabState {
  const { existing, routes } = world;
  const provider = options.provider ?? existing?.provider ?? world.defaultProvider;
  checkUnchanged(options, existing);
  const clusterCount = options.clusterCount ?? existing?.clusterCount ?? DEFAULT_CLUSTERS;
  if (existing === undefined)
    return {
      name: options.name,
      provider,
      clusterCount,
      subnet: chooseSubnet(options.name, routes),
      ...(options.nat === undefined ? {} : { nat: options.nat }),
      ...(options.cni === undefined ? {} : { cni: options.cni }),
      ...(options.kubeProxy === undefined ? {} : { kubeProxy: options.kubeProxy }),
    };
  if (existing.provider !== provider)
    throw new CodedError('FailedPrecondition', `lab "${options.name}" is one of ${existing.provider}; end it first`);
  if (clusterCount < existing.clusterCount)
    throw new CodedError(
      'FailedPrecondition',
      `lab "${options.name}" has ${existing.clusterCount} clusters; it can grow, to shrink it end it first`,
    );
  if (!world.hasNetwork && collides(existing.subnet, routes))
    throw new CodedError(
      'FailedPrecondition',
      `the lab's network ${existing.subnet}.0/24 now collides with a route of this machine; end the lab and bring it up anew`,
    );
  return { ...existing, clusterCount };
}

/**
 * A cluster's address is part of its certificates: it cannot move behind a router later. And what another pod network left on the
 * node would be in the way of the next one.
 */
function checkUnchanged({ name, nat, cni, kubeProxy }: UpOptions, existing: LabState | undefined): void {
  if (existing === undefined) return;
  const { nat: routers = [], cni: knownCni, kubeProxy: knownMode } = { ...DEFAULT_POD_NETWORK, ...existing };
  const other =
    (nat !== undefined && nat.join() !== routers.join() && 'other routers') ||
    (cni !== undefined && cni !== knownCni && `--cni ${knownCni}`) ||
    (kubeProxy !== undefined && kubeProxy !== knownMode && `--kube-proxy ${knownMode}`);
  if (other !== false) throw new CodedError('FailedPrecondition', `lab "${name}" was made with ${other}; end it first`);
}
