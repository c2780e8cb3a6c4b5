import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SPDY } from './kubectl-process.ts';
import { apply, eventually, offloadedNamespace, pod, podSpec, readyPods } from './lab.ts';

const folder = process.env.HEADCUT_LAB ?? '';

/** A shell on a terminal of this machine, and what is shown there. */
function terminal(script: string, env: Record<string, string>) {
  const child = spawn('script', ['--quiet', '--return', '--command', script, '/dev/null'], {
    env: { ...process.env, ...env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` },
    stdio: 'pipe',
  });
  const shown = { text: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    shown.text += String(chunk);
  });
  const dispose = async (): Promise<void> => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  };
  return { child, shown, [Symbol.asyncDispose]: dispose };
}

test.each([
  ['WebSocket', {}],
  ['SPDY', SPDY],
])(
  'exec -it over %s: the program there sees the size of the terminal, its changes, and keys; its exit code comes back',
  async (_name, env) => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', pod(name, 'web', podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } })));
    await readyPods('a', name, 1);
    const inside = 'trap "stty size" WINCH; stty size; while ! read -t 1 -r line; do :; done; echo "got $line"; exit 7';
    const kubectl = `kubectl --kubeconfig ${folder}/kubeconfig --context a -n ${name} exec -it web -- sh -c '${inside}'`;
    // The terminal changes its size while kubectl runs on it, as a window does that somebody drags.
    const resize = '(sleep 4; stty -F $terminal rows 33 cols 133) &';
    await using on = terminal(`terminal=$(tty); stty rows 44 cols 144; ${resize} ${kubectl}`, env);
    await eventually(async () => expect(on.shown.text).toMatch(/44 144\r\n/), 20_000);
    await eventually(async () => expect(on.shown.text).toMatch(/33 133\r\n/), 20_000);
    on.child.stdin.write('hello\r');
    const [exitCode] = (await once(on.child, 'close')) as [number];
    expect([exitCode, on.shown.text]).toEqual([7, expect.stringContaining('got hello')]);
  },
  90_000,
);
