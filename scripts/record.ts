/**
 * Writes docs/headcut.cast, a terminal recording (asciicast v2, which `asciinema play` shows), from real commands on a running lab:
 *
 *     ./scripts/lab up && node scripts/record.ts [--lab .lab] [--out docs/headcut.cast]
 *
 * The commands are run and their output is shown as it came; only the waits between them are the script's, so that one can read.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const WIDTH = 150;
const HEIGHT = 32;
const ROOT = resolve(import.meta.dirname, '..');

const KEY_SECONDS = 0.03;
const READ_SECONDS = 2.5;
/** Of what took longer, this much is shown. */
const LONGEST_WAIT_SECONDS = 3;

type Line = { say: string } | { run: string };

/** What is shown: a namespace offloaded, its pods, why they are where they are, a peer that is drained. */
const SCRIPT: Line[] = [
  { say: 'Clusters, each of its own. What does a know of the others?' },
  { run: 'headcut status --context a' },
  { run: 'kubectl --context a get nodes' },
  { say: 'One label, and a Deployment spreads over all of them.' },
  { run: 'kubectl --context a create namespace cast' },
  { run: 'headcut offload cast --context a' },
  { run: 'kubectl --context a -n cast create deployment web --image=headcut.dev/demo:0.1.0 --replicas=5' },
  { run: 'kubectl --context a -n cast rollout status deployment/web --timeout=60s' },
  { run: 'kubectl --context a -n cast get pods -o wide' },
  { run: 'headcut pods -n cast --context a' },
  { say: 'Logs, exec and the rest work as on pods at home.' },
  { run: 'kubectl --context a -n cast exec deploy/web -- hostname' },
  { say: 'Why is a pod where it is? What if a member died?' },
  {
    run: 'headcut explain pod $(headcut pods -n cast --context a -o name | head -n 1 | cut -d/ -f2) -n cast --context a',
  },
  { run: 'headcut what-if b dies --context a' },
  { say: 'Home again.' },
  { run: 'headcut unoffload cast --context a' },
  { run: 'kubectl --context a delete namespace cast --wait=false' },
];

type Frame = [seconds: number, code: 'o', text: string];

class Recording {
  readonly frames: Frame[] = [];
  #seconds = 0;

  wait(seconds: number): void {
    this.#seconds += seconds;
  }

  show(text: string): void {
    this.frames.push([Math.round(this.#seconds * 1e3) / 1e3, 'o', text.replaceAll(/\r?\n/g, '\r\n')]);
  }

  type(text: string): void {
    for (const key of text) {
      this.wait(KEY_SECONDS);
      this.show(key);
    }
  }
}

async function main(): Promise<void> {
  const options = {
    lab: { type: 'string', default: '.lab' },
    out: { type: 'string', default: 'docs/headcut.cast' },
  } as const;
  const { values } = parseArgs({ options });
  const lab = resolve(values.lab);
  const bin = await mkdtemp(join(tmpdir(), 'headcut-record-'));
  try {
    const program = join(bin, 'headcut');
    await writeFile(program, `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, 'src', 'bin', 'cli.ts')} "$@"\n`);
    await chmod(program, 0o755);
    const env = { ...process.env, KUBECONFIG: join(lab, 'kubeconfig'), PATH: `${bin}:${lab}/bin:${process.env.PATH}` };
    const recording = new Recording();
    for (const line of SCRIPT) await ('say' in line ? say(recording, line.say) : perform(recording, line.run, env));
    recording.wait(READ_SECONDS);
    recording.show('');
    await writeFile(values.out, toCast(recording.frames));
    process.stdout.write(`wrote ${values.out}: ${recording.frames.length} frames\n`);
  } finally {
    await rm(bin, { recursive: true });
  }
}

async function say(recording: Recording, text: string): Promise<void> {
  recording.show(`\x1b[1;36m# ${text}\x1b[0m\n`);
  recording.wait(READ_SECONDS / 2);
}

/** Throws when the command fails: a recording of a failure is none. */
async function perform(recording: Recording, command: string, env: NodeJS.ProcessEnv): Promise<void> {
  recording.show('\x1b[1;32m$\x1b[0m ');
  recording.type(command);
  recording.show('\n');
  const child = spawn('sh', ['-c', `${command} 2>&1`], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let last = performance.now();
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    recording.wait(Math.min((performance.now() - last) / 1_000, LONGEST_WAIT_SECONDS));
    last = performance.now();
    output += String(chunk);
    recording.show(String(chunk));
  });
  const [exitCode] = (await once(child, 'close')) as [number];
  if (exitCode !== 0) throw new Error(`exit code ${exitCode} of ${command}: ${output}`);
  recording.wait(READ_SECONDS);
  recording.show('\n');
}

function toCast(frames: readonly Frame[]): string {
  const header = { version: 2, width: WIDTH, height: HEIGHT, title: 'headcut', env: { TERM: 'xterm-256color' } };
  return `${[header, ...frames].map((line) => JSON.stringify(line)).join('\n')}\n`;
}

await main();
