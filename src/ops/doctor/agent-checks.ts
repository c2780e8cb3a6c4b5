import type { Diagnosis, EndpointReach, PeerDiagnosis } from '../../core/diagnosis/diagnosis.ts';
import { duration } from '../../core/explain/age.ts';
import { isForbidden } from '../../kube/api-error.ts';
import { agentPods, readAgentPage } from '../agent-logs.ts';
import { type Check, type CheckContext, type Finding, failed, ok, skipped, warning } from './check.ts';

/** What only the agent can see, from the page on which it says what it finds. No peer's cluster is asked by this program. */

/** Heartbeats tell the time to a fraction of a second; NTP keeps clocks much closer than this. */
const NOTABLE_SKEW_MS = 2_000;
/** Certificates that were made just now are not valid yet there; a token of 15 minutes is worth much less. */
const HARMFUL_SKEW_MS = 60_000;

/** Asks the agent; what keeps it from answering is a finding. */
export async function askAgent({
  client,
  signal,
}: Pick<CheckContext, 'client' | 'signal'>): Promise<Diagnosis | Finding> {
  const [pod] = await agentPods(client, signal);
  if (pod === undefined) return skipped('no agent runs here');
  try {
    return JSON.parse(await readAgentPage(client, pod, 'diagnosis', signal)) as Diagnosis;
  } catch (error) {
    if (isForbidden(error)) return skipped('you may not read pods/proxy in headcut-system');
    return skipped('the agent does not say; see the check of the agent');
  }
}

/** A check of what the agent finds; that it does not say is a finding too. */
function agentCheck(
  about: Omit<Check, 'run'>,
  look: (diagnosis: Diagnosis, context: CheckContext) => Finding[],
): Check {
  const run = async (context: CheckContext): Promise<Finding[]> => {
    const diagnosis = await context.diagnosis();
    return 'verdict' in diagnosis ? [diagnosis] : look(diagnosis, context);
  };
  return { ...about, run };
}

/** A check of each peer that the agent has contact with. */
function peerCheck(
  about: Pick<Check, 'id' | 'title'>,
  look: (peer: PeerDiagnosis, context: CheckContext) => Finding[],
): Check {
  return agentCheck({ ...about, aboutPeers: true }, (diagnosis, context) => {
    const peers = diagnosis.peers.filter(({ name }) => context.peer === undefined || name === context.peer);
    if (peers.length === 0) return [skipped('there are no other members')];
    return peers.flatMap((peer) => look(peer, context));
  });
}

const ports = peerCheck({ id: 'ports', title: 'Ports both ways' }, ({ name, outward, inward, via, state }) => {
  const there = outward.some((one) => one.ok);
  const back = inward?.some((one) => one.ok);
  if (state !== 'Connected' && !there)
    return [failed(`${name} is not reached from here: ${problemsOf(outward)}`, openPort(outward, `of ${name}`))];
  const findings = [
    there
      ? ok(`this member reaches ${name} at ${endpointsOf(outward)}`)
      : warning(`this member does not reach ${name}: ${problemsOf(outward)}`, openPort(outward, `of ${name}`)),
  ];
  if (inward === undefined) return [...findings, skipped(`the way back: ${name} cannot be asked now`)];
  findings.push(
    back === true
      ? ok(`${name} reaches this member at ${endpointsOf(inward)}`)
      : warning(`${name} does not reach this member: ${problemsOf(inward)}`, openPort(inward, 'here')),
  );
  if (!there && back !== true && via !== undefined)
    findings.push(warning(`a third member carries what the two say`, 'open the port on one side: one way is enough'));
  return findings;
});

function endpointsOf(reached: readonly EndpointReach[]): string {
  return reached.flatMap((one) => (one.ok ? [one.endpoint] : [])).join(', ');
}

function problemsOf(reached: readonly EndpointReach[]): string {
  return reached.flatMap((one) => (one.ok ? [] : [`${one.endpoint} (${one.problem})`])).join(', ');
}

function openPort(reached: readonly EndpointReach[], where: string): string {
  const endpoints = reached.map(({ endpoint }) => endpoint).join(', ');
  return `let TCP ${endpoints} through the firewalls ${where}, or give addresses that others can reach in spec.endpoints of the Federation; one way between two members is enough`;
}

const clocks = peerCheck({ id: 'clocks', title: 'Clocks of peers' }, ({ name, clockSkewMs, state }) => {
  if (state !== 'Connected') return [skipped(`${name} is not connected`)];
  if (clockSkewMs === undefined) return [skipped(`${name} did not tell its time`)];
  const skewMs = Math.abs(clockSkewMs);
  if (skewMs < NOTABLE_SKEW_MS) return [ok(`the clock of ${name} agrees with this member's`)];
  const message = `the clock of ${name} is ${duration(skewMs)} ${clockSkewMs > 0 ? 'ahead of' : 'behind'} this member's`;
  const fix = 'set the clocks of both nodes by NTP: certificates, tokens and the age of everything are judged by them';
  return [skewMs < HARMFUL_SKEW_MS ? warning(message, fix) : failed(message, fix)];
});

const versions = peerCheck({ id: 'versions', title: 'Agents of peers' }, ({ name, version }, context) => {
  if (version === undefined) return [skipped(`${name} is not connected`)];
  if (version === context.version) return [ok(`${name} runs version ${version}`)];
  return [
    warning(
      `${name} runs version ${version}, while this command is ${context.version}`,
      'run the same version everywhere: headcut install on each member, one after the other',
    ),
  ];
});

const mtu = peerCheck({ id: 'mtu', title: 'Full-size packets' }, ({ name, fullSize, state }) => {
  if (state !== 'Connected') return [skipped(`${name} is not connected`)];
  if (fullSize === undefined) return [skipped(`no packets travel to ${name} by UDP`)];
  const { bytes, answered } = fullSize;
  if (answered) return [ok(`packets of ${bytes} bytes get to ${name} and back`)];
  return [
    failed(
      `packets of ${bytes} bytes do not get to ${name} and back, while small ones do: large transfers between pods hang`,
      `something on the way takes only smaller ones and does not say so: let ICMP "fragmentation needed" pass, or lower the MTU of the node's link on both sides`,
    ),
  ];
});

const names = agentCheck({ id: 'dns', title: 'Names', aboutPeers: false }, ({ dns }) => {
  if (dns.ok) return [ok("this cluster's DNS answers the agent, which asks it for pods of peers")];
  return [
    failed(
      `this cluster's DNS does not answer the agent: ${dns.problem}`,
      'see that CoreDNS runs (kubectl -n kube-system get pods), and that the node reaches its Service',
    ),
  ];
});

export const AGENT_CHECKS: Check[] = [ports, clocks, versions, mtu, names];
