/**
 * `npm run bench:failover [-- --runs N] [killed|frozen|cut|consumer…]`: what a fault costs the users of a Deployment and its Service,
 * in seconds since the fault (or since its end) and in failed requests; per scenario the median and the worst of all runs.
 */
import { parseArgs } from 'node:util';
import { apply, deployment, IMAGE, kubectl, median, offloadedNamespace, onNode } from './bench-lab.ts';
import { SteadyClient } from './clients.ts';
import { type Figures, runScenario, SCENARIOS, type Scenario, type Stage } from './failover-scenarios.ts';
import { isReady, ObservedWorld } from './observed-world.ts';

const CLUSTERS = ['a', 'b', 'c'];
const REPLICAS = 6;
const DEFAULT_RUNS = 10;
const SERVICE_PORT = 80;
/** Starts of containers on a busy machine. */
const READY_WITHIN_MS = 120_000;

const ROWS: [keyof Figures, string][] = [
  ['notReady', 'node NotReady, s'],
  ['endpointsOutHome', 'endpoints out at home, s'],
  ['endpointsOutElsewhere', 'endpoints out on another provider, s'],
  ['replaced', 'all replacements Ready, s'],
  ['failedHome', 'failed requests at home'],
  ['failedElsewhere', 'failed requests on another provider'],
  ['lastFailure', 'last failed request, s'],
  ['duplicate', 'old and new both there after the return, s'],
  ['healed', 'healed after the end of the fault, s'],
  ['touched', 'pods on others that were touched'],
];

/** A peer that was lost often counts again only after a while: agents that just started hold nothing against anybody. */
async function freshAgents(): Promise<void> {
  const rollout = (cluster: string, ...args: string[]) =>
    kubectl(cluster, ['-n', 'headcut-system', 'rollout', ...args]);
  await Promise.all(CLUSTERS.map((cluster) => rollout(cluster, 'restart', 'deployment/headcut')));
  await Promise.all(CLUSTERS.map((cluster) => rollout(cluster, 'status', 'deployment/headcut', '--timeout=120s')));
}

function clientPod(namespace: string, name: string, node: string): object {
  const container = { name: 'c', image: IMAGE, resources: { requests: { cpu: '1m' } } };
  const spec = { ...onNode(node), terminationGracePeriodSeconds: 0, containers: [container] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name, labels: { app: name } }, spec };
}

/** The address of the Service as pods of that cluster reach it: each has its own. */
async function serviceUrl(cluster: string, selection: string[]): Promise<string> {
  const path = 'jsonpath={.items[0].spec.clusterIP}';
  return `http://${await kubectl(cluster, ['get', 'services', ...selection, '-o', path])}:${SERVICE_PORT}`;
}

let count = 0;

async function runOnce(scenario: Scenario): Promise<Figures> {
  await freshAgents();
  count += 1;
  const id = `${process.pid}-${count}`;
  const namespace = `bench-failover-${id}`;
  await using _namespace = await offloadedNamespace(namespace);
  const [home, elsewhere] = [`home-${id}`, `elsewhere-${id}`];
  await apply(
    'a',
    deployment({ namespace, name: 'web' }, REPLICAS),
    { apiVersion: 'v1', kind: 'Service', metadata: { namespace, name: 'web' }, spec: webService },
    clientPod(namespace, home, 'a'),
    clientPod(namespace, elsewhere, 'headcut-b'),
  );
  using world = new ObservedWorld({ home: 'a', name: namespace });
  await Promise.all(CLUSTERS.map((cluster) => world.follow(cluster)));
  const isUp = (): boolean =>
    world.view('a').pods.list().filter(isReady).length === REPLICAS + 2 &&
    ['a', 'b'].every((cluster) => world.endpoints(cluster).size === REPLICAS) &&
    ['b', 'c'].every((peer) => isReady(world.view('a').nodes.get(`headcut-${peer}`) ?? { metadata: { name: '' } }));
  await world.when('everything up before the fault', isUp, READY_WITHIN_MS);
  const twin = ['-A', '-l', `headcut.dev/origin-namespace=${namespace}`];
  await using atHome = new SteadyClient(home, await serviceUrl('a', ['-n', namespace]));
  await using onB = new SteadyClient(elsewhere, await serviceUrl('b', twin));
  const stage: Stage = { world, replicas: REPLICAS, clients: { home: atHome, elsewhere: onB } };
  for (const client of [atHome, onB]) await client.untilSteady();
  return await runScenario(stage, scenario); // at the end of the block all this ends
}

const webService = { selector: { app: 'web' }, ports: [{ port: SERVICE_PORT, targetPort: 8080 }] };

function cell(runs: readonly Figures[], name: keyof Figures): string {
  const values = runs.flatMap((figures) => figures[name] ?? []);
  if (values.length === 0) return '–';
  const digits = values.every(Number.isInteger) ? 0 : 1;
  return `${median(values).toFixed(digits)} / ${Math.max(...values).toFixed(digits)}`;
}

function printTable(results: ReadonlyMap<Scenario, Figures[]>): void {
  const line = (first: string, cells: string[]) =>
    process.stdout.write(`${first.padEnd(46)}${cells.map((text) => text.padStart(18)).join('')}\n`);
  line(
    'median / worst',
    [...results.keys()].map(({ name }) => name),
  );
  line(
    'runs',
    [...results.values()].map((runs) => String(runs.length)),
  );
  for (const [name, title] of ROWS)
    line(
      title,
      [...results.values()].map((runs) => cell(runs, name)),
    );
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ options: { runs: { type: 'string' } }, allowPositionals: true });
  const wanted = positionals.length === 0 ? Object.keys(SCENARIOS) : positionals;
  const results = new Map<Scenario, Figures[]>();
  for (const name of wanted) {
    const scenario = SCENARIOS[name];
    if (scenario === undefined)
      throw new Error(`there is no scenario "${name}"; there are: ${Object.keys(SCENARIOS).join(', ')}`);
    results.set(scenario, []);
  }
  for (let run = 0; run < Number(values.runs ?? DEFAULT_RUNS); run += 1)
    for (const [scenario, runs] of results) {
      const figures = await runOnce(scenario);
      runs.push(figures);
      process.stderr.write(`${scenario.name}, run ${run + 1}: ${JSON.stringify(figures)}\n`);
    }
  printTable(results);
}

await main();
