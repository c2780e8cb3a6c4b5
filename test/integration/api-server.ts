import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    apiServer: { server: string; ca: string; token: string; folder: string };
  }
}

const TOKEN = 'integration-admin';
const READY_WITHIN_MS = 60_000;

export interface ApiServer {
  server: string;
  /** PEM. */
  ca: string;
  /** Of an administrator. */
  token: string;
  folder: string;
  stop(): Promise<void>;
}

/** One kube-apiserver over kine for the whole run, on a free port of loopback; ended with everything it wrote. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { stop, ...apiServer } = await startApiServer();
  project.provide('apiServer', apiServer);
  return stop;
}

/** A kube-apiserver over kine; the caller ends it. @param flags more of them */
export async function startApiServer(flags: readonly string[] = []): Promise<ApiServer> {
  const tools = process.env.HEADCUT_TOOLS ?? '';
  if (tools === '') throw new Error('HEADCUT_TOOLS is not set: run these tests by ./scripts/test integration');
  const folder = mkdtempSync(join(tmpdir(), 'headcut-integration-'));
  const children: ChildProcess[] = [];
  const start = (name: string, args: string[]): void => {
    const log = openSync(join(folder, `${name}.log`), 'w');
    children.push(spawn(join(tools, name), args, { stdio: ['ignore', log, log], cwd: folder }));
    closeSync(log);
  };
  const stop = async (): Promise<void> => {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(
      children.map((child) =>
        child.exitCode === null && child.signalCode === null
          ? new Promise((resolve) => child.once('exit', resolve))
          : undefined,
      ),
    );
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const port = await freePort();
    const socket = join(folder, 'kine.sock');
    start('kine', [
      `--endpoint=sqlite://${folder}/state.db?mode=rwc&_journal=WAL`,
      `--listen-address=unix://${socket}`,
      '--metrics-bind-address=0',
    ]);
    execFileSync('openssl', ['genrsa', '-out', join(folder, 'sa.key'), '2048'], { stdio: 'ignore' });
    execFileSync('sh', ['-c', `echo '${TOKEN},admin,admin,system:masters' > tokens.csv`], { cwd: folder });
    start('kube-apiserver', [...apiServerFlags(folder, socket, port), ...flags]);
    const server = `https://127.0.0.1:${port}`;
    await untilReady(server, children, folder);
    const ca = readFileSync(join(folder, 'certificates', 'apiserver.crt'), 'utf8');
    return { server, ca, token: TOKEN, folder, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function apiServerFlags(folder: string, socket: string, port: number): string[] {
  return [
    `--etcd-servers=unix://${socket}`,
    `--cert-dir=${join(folder, 'certificates')}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--token-auth-file=${join(folder, 'tokens.csv')}`,
    `--service-account-key-file=${join(folder, 'sa.key')}`,
    `--service-account-signing-key-file=${join(folder, 'sa.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    '--service-cluster-ip-range=10.96.0.0/12',
    '--allow-privileged=true',
    '--authorization-mode=Node,RBAC',
    // Nothing here makes ServiceAccounts, which that plugin wants for each pod.
    '--disable-admission-plugins=ServiceAccount',
    '--enable-admission-plugins=NodeRestriction',
  ];
}

/** A TCP port of loopback that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

async function untilReady(server: string, children: ChildProcess[], folder: string): Promise<void> {
  const end = Date.now() + READY_WITHIN_MS;
  for (;;) {
    try {
      execFileSync('curl', ['-sfk', '--max-time', '2', '-H', `Authorization: Bearer ${TOKEN}`, `${server}/readyz`], {
        stdio: 'ignore',
      });
      return;
    } catch {
      const died = children.some((child) => child.exitCode !== null);
      if (!died && Date.now() < end) {
        await sleep(300);
        continue;
      }
      const log = readFileSync(join(folder, 'kube-apiserver.log'), 'utf8').split('\n').slice(-15).join('\n');
      throw new Error(`the API server ${died ? 'ended' : 'did not become ready'}:\n${log}`);
    }
  }
}
