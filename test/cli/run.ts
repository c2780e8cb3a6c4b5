import { type CliDeps, runCli } from '../../src/cli/run-cli.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { NOW } from './cluster-fixture.ts';

export interface Run {
  code: number;
  out: string;
  error: string;
  connected: boolean;
  files: Record<string, Uint8Array>;
}

/** Runs the command line without a process around it. @param client the cluster; without one connecting fails */
export async function run(argv: string[], client?: KubeClient, more: Partial<CliDeps> = {}): Promise<Run> {
  const result = { out: '', error: '', connected: false, files: {} as Record<string, Uint8Array> };
  const deps: CliDeps = {
    version: '9.9.9',
    connect: () => {
      result.connected = true;
      if (client === undefined) return Promise.reject(new Error('no cluster here'));
      return Promise.resolve({ client, namespace: 'default' });
    },
    contexts: () => Promise.resolve(['a', 'b']),
    clock: { ...systemClock, now: () => NOW, sleep: () => Promise.resolve() },
    randomBytes: (count) => new Uint8Array(count),
    signal: new AbortController().signal,
    out: (text) => {
      result.out += `${text}\n`;
    },
    outRaw: (data) => {
      result.out += Buffer.from(data).toString();
      return Promise.resolve();
    },
    error: (text) => {
      result.error += `${text}\n`;
    },
    runLab: () => Promise.reject(new Error('no lab here')),
    serveConsole: () => Promise.reject(new Error('no console here')),
    writeFile: (path, data) => {
      result.files[path] = data;
      return Promise.resolve();
    },
    ...more,
  };
  return { code: await runCli(argv, deps), ...result };
}
