import { CodedError, messageOf } from '../../core/coded-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../runtime/clock.ts';
import { explain } from '../cluster.ts';
import { readWorld } from '../world.ts';
import { AGENT_CHECKS, askAgent } from './agent-checks.ts';
import { CERTIFICATE_CHECKS } from './certificate-checks.ts';
import { type Check, type CheckContext, type Finding, failed, type Verdict } from './check.ts';
import { CLUSTER_CHECKS } from './cluster-checks.ts';
import { PEER_CHECKS } from './peer-checks.ts';
import { SHARING_CHECKS } from './sharing-checks.ts';

/** All checks, in their order. */
const CHECKS: Check[] = [...CLUSTER_CHECKS, ...PEER_CHECKS, ...AGENT_CHECKS, ...CERTIFICATE_CHECKS, ...SHARING_CHECKS];

export interface CheckReport {
  number: number;
  id: string;
  title: string;
  /** The worst of its findings. */
  verdict: Verdict;
  findings: Finding[];
}

export interface DoctorOptions {
  clock: Clock;
  version: string;
  /** Only what concerns this peer. */
  peer?: string | undefined;
  signal: AbortSignal;
}

/** A check that hangs is a finding of its own. */
const CHECK_WITHIN_MS = 10_000;
const ORDER: Verdict[] = ['ok', 'skipped', 'warning', 'failed'];

/** Runs the checks one after the other, and tells each as it is done. Changes nothing. */
export async function* diagnose(client: KubeClient, options: DoctorOptions): AsyncGenerator<CheckReport> {
  const { clock, version, peer, signal } = options;
  const world = await readWorld(client, clock);
  if (peer !== undefined && !world.peers.some((one) => one.metadata.name === peer))
    throw new CodedError('NotFound', `there is no peer ${peer}; headcut peers lists them`);
  let asked: ReturnType<typeof askAgent> | undefined;
  const checks = CHECKS.filter((check) => peer === undefined || check.aboutPeers);
  for (const [index, check] of checks.entries()) {
    const within = AbortSignal.any([signal, AbortSignal.timeout(CHECK_WITHIN_MS)]);
    const findings = await run(check, {
      ...{ client, world, clock, version, peer, signal: within },
      diagnosis: () => (asked ??= askAgent({ client, signal: within })),
    });
    signal.throwIfAborted();
    yield { number: index + 1, id: check.id, title: check.title, verdict: worst(findings), findings };
  }
}

async function run(check: Check, context: CheckContext): Promise<Finding[]> {
  try {
    return await check.run(context);
  } catch (error) {
    return [
      failed(
        `could not be looked at: ${messageOf(explain(error))}`,
        'see that your kubeconfig leads to this cluster, with rights to look',
      ),
    ];
  }
}

function worst(findings: readonly Finding[]): Verdict {
  return findings.map(({ verdict }) => verdict).reduce((a, b) => (ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a), 'ok');
}
