import { parseArgs } from 'node:util';
import { CodedError } from '../core/coded-error.ts';
import { FAULT_USAGE, type Fault, parseFault } from './faults/fault.ts';
import { CNIS, type Cni, PROXY_MODES, type ProxyMode, parseChoice } from './pod-network.ts';
import { MAX_CLUSTERS } from './topology.ts';

/** What the user asked the lab to do. */
export type LabCommand =
  | { verb: 'help' }
  | {
      verb: 'up';
      name: string;
      clusterCount: number | undefined;
      provider: string | undefined;
      nat: string[] | undefined;
      cni: Cni | undefined;
      kubeProxy: ProxyMode | undefined;
      federation: boolean;
    }
  | { verb: 'down' | 'status'; name: string }
  | { verb: 'logs'; name: string; cluster: string; component: string | undefined; follow: boolean }
  | { verb: 'shell'; name: string; cluster: string; argv: string[] }
  | { verb: 'restart'; name: string; cluster: string }
  | { verb: 'fault' | 'end-fault'; name: string; fault: Fault }
  | { verb: 'end-all-faults'; name: string };

export const LAB_USAGE = `usage: scripts/lab COMMAND [--name NAME]

  up [--clusters N] [--nat CLUSTER,…] [--no-federation] [--provider k0s|kubernetes|kind|kwok]
     [--cni ${CNIS.join('|')}] [--kube-proxy ${PROXY_MODES.join('|')}]
                               bring the lab up, or what is missing of it (N: 1 to ${MAX_CLUSTERS}, default 3);
                               clusters named by --nat are behind a router: outbound connections only;
                               k0s is the default where there is a k0s (HEADCUT_K0S, or on the PATH);
                               kind needs the program kind and Docker, Podman or nerdctl;
                               kwok has simulated nodes: many members, but no container runs;
                               --cni and --kube-proxy (default bridge and iptables) say what pods and Services
                               are connected by, in labs of k0s and kubernetes; kube-router enforces NetworkPolicies
  down                         end the lab and remove all that it made
  status                       what every cluster is doing
  logs CLUSTER [COMPONENT] [-f]
                               log of k0s, kube-apiserver, kubelet, kube-proxy, …
  shell CLUSTER [-- COMMAND…]  a shell (or a command) in the cluster's namespaces, with kubectl and ctr
  restart CLUSTER              switch a cluster off and on again; its data stays
${FAULT_USAGE}
Labs of different names (default: lab) run side by side.
`;

/** @param argv without program names */
export function parseLabCommand(argv: readonly string[]): LabCommand {
  const { values, positionals } = parseOptions(argv);
  const [verb = 'help', cluster, ...rest] = positionals;
  const name = values.name ?? 'lab';
  if (values.help === true || verb === 'help') return { verb: 'help' };
  switch (verb) {
    case 'up':
      refuseMore(verb, [cluster, ...rest]);
      return {
        verb,
        name,
        clusterCount: values.clusters === undefined ? undefined : parseCount(values.clusters),
        provider: values.provider,
        nat: values.nat?.split(',').filter((one) => one !== ''),
        cni: parseChoice('--cni', CNIS, values.cni),
        kubeProxy: parseChoice('--kube-proxy', PROXY_MODES, values['kube-proxy']),
        federation: values['no-federation'] !== true,
      };
    case 'down':
    case 'status':
      refuseMore(verb, [cluster, ...rest]);
      return { verb, name };
    case 'logs':
      refuseMore(verb, rest.slice(1));
      return { verb, name, cluster: required(verb, cluster), component: rest[0], follow: values.follow === true };
    case 'shell':
      return { verb, name, cluster: required(verb, cluster), argv: rest };
    case 'fault': {
      const oneWay = values['one-way'] === true;
      if (cluster !== 'end') return { verb, name, fault: parseFault(positionals.slice(1), oneWay) };
      if (rest.length === 0) return { verb: 'end-all-faults', name };
      return { verb: 'end-fault', name, fault: parseFault(rest, oneWay) };
    }
    case 'restart':
      refuseMore(verb, rest);
      return { verb, name, cluster: required(verb, cluster) };
    default:
      throw new CodedError('InvalidArgument', `there is no command "${verb}"\n${LAB_USAGE}`);
  }
}

function parseOptions(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        name: { type: 'string' },
        clusters: { type: 'string' },
        provider: { type: 'string' },
        nat: { type: 'string' },
        cni: { type: 'string' },
        'kube-proxy': { type: 'string' },
        'no-federation': { type: 'boolean' },
        'one-way': { type: 'boolean' },
        follow: { type: 'boolean', short: 'f' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new CodedError('InvalidArgument', `${(error as Error).message}\n${LAB_USAGE}`);
  }
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MAX_CLUSTERS) return count;
  throw new CodedError('InvalidArgument', `--clusters takes a number from 1 to ${MAX_CLUSTERS}, not "${text}"`);
}

function required(verb: string, cluster: string | undefined): string {
  if (cluster !== undefined) return cluster;
  throw new CodedError('InvalidArgument', `"${verb}" needs the name of a cluster\n${LAB_USAGE}`);
}

function refuseMore(verb: string, arguments_: readonly (string | undefined)[]): void {
  const extra = arguments_.find((argument) => argument !== undefined);
  if (extra !== undefined) throw new CodedError('InvalidArgument', `"${verb}" takes no "${extra}"`);
}
