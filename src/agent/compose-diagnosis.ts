import { randomInt } from 'node:crypto';
import { CodedError } from '../core/coded-error.ts';
import { parseMessage, RCODE, rcodeOf, toQuestion } from '../core/dns/message.ts';
import { parseResolvConf } from '../core/dns/resolv-conf.ts';
import { createPeerInspector } from '../peering/peer-inspector.ts';
import type { Peers } from '../peering/peers.ts';
import type { Clock } from '../runtime/clock.ts';
import { askDns } from '../runtime/dns-transport.ts';
import { Diagnoser } from './diagnosis/diagnosis.ts';
import type { NetworkState } from './network/network-state.ts';
import type { PeerPaths } from './network/peer-paths.ts';
import type { UdpProber } from './network/udp-prober.ts';

export interface DiagnosisParts {
  peers: Peers;
  network: { prober: UdpProber; paths: PeerPaths; state: NetworkState };
  resolvConf: string;
  clock: Clock;
}

/** Header and tag of a data packet of WireGuard; the packet within is padded to 16 bytes, and MTUs are multiples of four. */
const WIREGUARD_BYTES = 32;
const FULL_SIZE_TRIES = { tries: 3, everyMs: 1_000 };
const DNS_PORT = 53;

/** What looks for faults when somebody asks: it only knows where to look, which is all over the agent. */
export function composeDiagnosis({ peers, network, resolvConf, clock }: DiagnosisParts): Diagnoser {
  const { prober, paths, state } = network;
  const { nameservers, clusterDomain } = parseResolvConf(resolvConf);
  return new Diagnoser({
    peers: createPeerInspector(peers),
    probeFullSize: async (peerId) => {
      const mtu = state.report?.mtu ?? 0;
      if (mtu === 0 || paths.pathTo(peerId) !== 'UDP') return undefined;
      return { bytes: mtu, answered: await prober.probeSize(peerId, mtu + WIREGUARD_BYTES, FULL_SIZE_TRIES) };
    },
    askDns: async (signal) => {
      const [host] = nameservers;
      if (host === undefined) throw new CodedError('FailedPrecondition', "the agent's pod was given no nameserver");
      const name = `kubernetes.default.svc.${clusterDomain}`;
      const question = toQuestion(randomInt(65_536), name);
      const answer = parseMessage(await askDns({ host, port: DNS_PORT }, question, 'udp', signal));
      const rcode = answer === undefined ? RCODE.serverFailure : rcodeOf(answer);
      if (rcode !== 0) throw new CodedError('Unavailable', `${host} does not know ${name} (rcode ${rcode})`);
    },
    clock,
  });
}
