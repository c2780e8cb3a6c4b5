/**
 * Runs the conformance suite of the Multi-Cluster Services API, from a local copy of its sources, against two clusters of a lab. Called
 * by `scripts/conformance services`, which says how.
 */
import { spawn } from 'node:child_process';
import { mkdir, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { labFolder } from '../../../test/e2e/reach-lab.ts';
import { readGinkgoReport } from '../kubernetes/ginkgo-report.ts';
import { buildStandIns } from '../kubernetes/stand-in-images.ts';
import { loadImages } from '../load-images.ts';

/** What the suite's pods are made of (conformance/k8s_objects.go there). */
const IMAGES = ['alpine/socat:1.7.4.4', 'nicolaka/netshoot:v0.15'];
/** The clusters; the suite exports from the first one. */
const CONTEXTS = 'a,b';

const tools = process.env.HEADCUT_TOOLS ?? '';
const root = resolve(import.meta.dirname, '../../..');
const out = join(root, 'dist', 'conformance');

/** @param hub the host that a container runtime puts before short names of images */
async function loadStandIns(hub: string): Promise<void> {
  const context = { tools, cache: process.env.HEADCUT_CACHE ?? join(root, 'dist/cache'), out: join(out, 'images') };
  const names = IMAGES.map((image) => `${hub}/${image}`);
  const { archives } = await buildStandIns(names, context);
  await loadImages(archives, { root, tools });
}

/** Compiles the suite with the versions that it names itself. */
async function compile(suite: string): Promise<string> {
  const program = join(out, 'services.test');
  await runProgram(
    'go',
    ['test', '-c', '-o', program, '.'],
    join(out, 'services-build.log'),
    join(suite, 'conformance'),
  );
  return program;
}

/** Its output goes to a file. @returns the exit code */
async function runProgram(program: string, args: readonly string[], logFile: string, folder: string): Promise<number> {
  await using log = await open(logFile, 'w');
  const env = { ...process.env, CGO_ENABLED: '0' };
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd: folder, env, stdio: ['ignore', log.fd, log.fd] });
    child.once('error', fail);
    child.once('exit', (code) => done(code ?? 1));
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { suite: { type: 'string' }, hub: { type: 'string' }, focus: { type: 'string', multiple: true } },
  });
  if (values.suite === undefined) throw new Error('name the folder of the suite: --suite DIR');
  if (values.hub === undefined)
    throw new Error('name the host that the container runtime puts before short names of images: --hub HOST');
  await mkdir(join(out, 'images'), { recursive: true });
  await loadStandIns(values.hub);
  const program = await compile(resolve(values.suite));
  const report = join(out, 'services');
  await runProgram(
    program,
    [
      ...[`-kubeconfig=${join(labFolder, 'kubeconfig')}`, `-contexts=${CONTEXTS}`],
      ...['-test.timeout=2h', '-ginkgo.no-color', `-ginkgo.json-report=${report}.json`],
      ...(values.focus ?? []).map((expression) => `-ginkgo.focus=${expression}`),
    ],
    `${report}.log`,
    // Where it writes reports of its own.
    out,
  );
  const results = await readGinkgoReport(`${report}.json`);
  const failed = results.filter(({ passed }) => !passed);
  process.stdout.write(`${results.length - failed.length} of ${results.length} passed\n`);
  for (const { name } of failed) process.stdout.write(`  failed: ${name}\n`);
  if (results.length === 0 || failed.length > 0) process.exitCode = 1;
}

await main();
