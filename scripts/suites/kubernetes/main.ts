/**
 * Runs Kubernetes' own conformance tests with the pods of each test on a peer, and what fails there once more at home: what fails
 * at home as well is not counted. Called by `scripts/conformance`, which says how.
 */
import { spawn } from 'node:child_process';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { kubectl, kubectlCommand, labFolder, run } from '../../../test/e2e/reach-lab.ts';
import { loadImages } from '../load-images.ts';
import { readGinkgoReport, type TestResult } from './ginkgo-report.ts';
import { buildStandIns } from './stand-in-images.ts';

const GROUPS = ['sig-node', 'sig-storage', 'sig-network', 'sig-apps', 'sig-cli'];
/** Home, where the tests run; the policies beside this file send the pods to `b`. */
const HOME = 'a';
const POLICIES = join(import.meta.dirname, 'forced-to-peer.yaml');
const PEER = 'b';
/** Longest run, as Ginkgo reads it. */
const TIMEOUT = '5h';

interface Exception {
  test: string;
  reason: string;
}

interface RunRequest {
  focus: readonly string[];
  skip: readonly string[];
  processes: number;
  /** File for the report, without its ending. */
  report: string;
}

const tools = process.env.HEADCUT_TOOLS ?? '';
const root = resolve(import.meta.dirname, '../../..');
const out = join(root, 'dist', 'conformance');

async function loadStandIns(): Promise<void> {
  const { stdout } = await run(join(tools, 'e2e.test'), ['--list-images'], { maxBuffer: 1 << 24 });
  // Images of registries that tests expect to say no are not there on purpose.
  const references = stdout.split('\n').filter((line) => line.includes('/') && !/invalid|authenticated/.test(line));
  const context = { tools, cache: process.env.HEADCUT_CACHE ?? join(root, 'dist/cache'), out: join(out, 'images') };
  const { archives, missing } = await buildStandIns(references, context);
  say(`stand-ins for ${references.length - missing.length} images; none for ${missing.length}`);
  await loadImages(archives, { root, tools });
}

/** Runs the tests that match; their output goes to a file beside the report. */
async function runTests({ focus, skip, processes, report }: RunRequest): Promise<TestResult[]> {
  const args = [
    ...[`--procs=${processes}`, '--no-color', `--timeout=${TIMEOUT}`, '--keep-going', `--output-dir=${out}`],
    ...focus.map((expression) => `--focus=${expression}`),
    ...skip.map((expression) => `--skip=${expression}`),
    `--json-report=${report}.json`,
    join(tools, 'e2e.test'),
    '--',
    ...[`--kubeconfig=${join(labFolder, 'kubeconfig')}`, `--context=${HOME}`, '--provider=skeleton'],
    ...[`--kubectl-path=${join(labFolder, 'bin', 'kubectl')}`, '--allowed-not-ready-nodes=5', '--disable-log-dump'],
  ];
  await using log = await open(join(out, `${report}.log`), 'w');
  await new Promise<void>((done, fail) => {
    const child = spawn(join(tools, 'ginkgo'), args, { stdio: ['inherit', log.fd, log.fd] });
    child.once('error', fail);
    child.once('exit', () => done());
  });
  return readGinkgoReport(join(out, `${report}.json`));
}

/** Counts the pods that come to the peer from now on. The function that it gives ends that and says how many there were. */
function countShadowPods(): () => number {
  const names = new Set<string>();
  const args = [
    'get',
    'shadowpods',
    '--all-namespaces',
    '--watch-only',
    '--no-headers',
    '-o',
    'custom-columns=U:.metadata.uid',
  ];
  const [program, all] = kubectlCommand(PEER, args);
  const child = spawn(program, all, { stdio: ['ignore', 'pipe', 'ignore'] });
  createInterface(child.stdout).on('line', (line) => names.add(line.trim()));
  return () => {
    child.kill();
    return names.size;
  };
}

/** With the policies that send the pods of tests to the peer, which are gone afterwards, whatever happens. */
async function withPodsForced<T>(work: () => Promise<T>): Promise<T> {
  await kubectl(HOME, ['apply', '-f', POLICIES]);
  try {
    return await work();
  } finally {
    await kubectl(HOME, ['delete', '--ignore-not-found', '-f', POLICIES]);
  }
}

function exactly(name: string): string {
  return `${name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      group: { type: 'string', multiple: true },
      focus: { type: 'string', multiple: true },
      skip: { type: 'string', multiple: true },
      procs: { type: 'string', default: '3' },
    },
  });
  await mkdir(join(out, 'images'), { recursive: true });
  await loadStandIns();
  const groups = (values.group ?? GROUPS).join('|');
  const focus = values.focus ?? [`\\[(${groups})\\].*\\[Conformance\\]`];
  const processes = Number(values.procs);
  const travelled = countShadowPods();
  const offloaded = await withPodsForced(() =>
    runTests({ focus, skip: values.skip ?? [], processes, report: 'offloaded' }),
  );
  const failed = offloaded.filter(({ passed }) => !passed);
  const pods = travelled();
  say(`on a peer: ${offloaded.length - failed.length} of ${offloaded.length} passed, with ${pods} pods that ran there`);
  if (pods === 0) throw new Error(`no pod of a test came to ${PEER}: the result says nothing`);
  const home =
    failed.length === 0
      ? []
      : await runTests({ focus: failed.map(({ name }) => exactly(name)), skip: [], processes, report: 'home' });
  await report(failed, home);
}

/** Says which tests fail on a peer alone, and sets the exit code if there are any without an exception. */
async function report(failed: readonly TestResult[], home: readonly TestResult[]): Promise<void> {
  const passAtHome = new Set(home.filter(({ passed }) => passed).map(({ name }) => name));
  const exceptions = parse(await readFile(join(import.meta.dirname, 'exceptions.yaml'), 'utf8')) as Exception[];
  const ours = failed.filter(({ name }) => passAtHome.has(name));
  const counted = ours.filter(({ name }) => !exceptions.some(({ test }) => name.includes(test)));
  say(`of ${failed.length} that failed there ${ours.length} pass at home; without an exception: ${counted.length}`);
  for (const { name, failure } of counted)
    say(`FAILED ${name}\n    ${(failure ?? '').split('\n').slice(0, 3).join('\n    ')}`);
  for (const { name } of failed.filter((one) => !passAtHome.has(one.name))) say(`not at home either: ${name}`);
  await writeFile(join(out, 'summary.json'), JSON.stringify({ failed, home, counted }, undefined, 1));
  if (counted.length > 0) process.exitCode = 1;
}

await main();
