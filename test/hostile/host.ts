import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleEntry } from '../../scripts/bundle.ts';
import { nodeFlags } from '../../scripts/image/recipes/headcut.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { FEDERATIONS, NAMESPACES, NODES, SERVICE_ACCOUNTS } from '../../src/kube/resources.ts';
import { invite } from '../../src/ops/invite.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { freePort, startApiServer } from '../integration/api-server.ts';
import type { Cost } from './agent-process.ts';
import { NodeSigner } from './node-signer.ts';

/** A cluster with a real API server and a whole agent, to be attacked. */
export interface Host {
  client: KubeClient;
  peerPort: number;
  /** The API server, for who calls it otherwise, and an administrator's token. */
  api: { server: string; token: string };
  /** A token with which one member can join. */
  invited(): Promise<string>;
  /** What the agent cost since the last time. */
  cost(): Promise<Cost>;
  /** The text of /metrics; throws when it is not served. */
  metrics(): Promise<string>;
  /** Writes to the API server since the agent started. */
  writes(): Promise<number>;
  stop(): Promise<void>;
}

const ROOT = join(import.meta.dirname, '..', '..');
const MANIFESTS = join(ROOT, 'manifests');
/** As the container's limit of memory leaves it. */
const HEAP_MB = 150;

export interface HostOptions {
  /** The agent as it is in the image: bundled, with the flags that it has there. Its figures of memory are those of the product. */
  bundled?: boolean;
}

export async function startHost({ bundled = false }: HostOptions = {}): Promise<Host> {
  const signer = await NodeSigner.create();
  const more = mkdtempSync(join(tmpdir(), 'headcut-hostile-'));
  const program = bundled ? await bundledAgent(more) : join(import.meta.dirname, 'agent-process.ts');
  const api = await startApiServer(signer.flags(more));
  let child: ChildProcess | undefined;
  const end = new AbortController();
  try {
    const { server, ca, token, folder } = api;
    const cache = ['--cache-dir', join(folder, 'kubectl')];
    const access = ['--server', server, '--token', token, '--insecure-skip-tls-verify', ...cache];
    const kubectl = join(process.env.HEADCUT_TOOLS ?? '', 'kubectl');
    execFileSync(kubectl, [...access, 'apply', '-f', MANIFESTS], { stdio: 'ignore', env: { KUBECONFIG: '/dev/null' } });
    const client = createKubeClient({ server, ca, token });
    await prepare(client, end.signal);
    signer.run(client, end.signal);
    writeFileSync(join(folder, 'ca.crt'), ca);
    const [peerPort, healthPort] = [await freePort(), await freePort()];
    const ports = {
      PEER_PORT: peerPort,
      HEALTH_PORT: healthPort,
      PROBE_PORT: await freePort(),
      DNS_PORT: await freePort(),
    };
    const otherPorts = { HOME_API_PORT: await freePort(), WEBHOOK_PORT: await freePort(), KUBELET_PORT: 21_000 };
    child = fork(program, [], {
      // As manifests/50-agent.yaml has it.
      execArgv: bundled ? [...nodeFlags, '--max-old-space-size=128'] : [`--max-old-space-size=${HEAP_MB}`],
      env: {
        ...process.env,
        ...Object.fromEntries(Object.entries({ ...ports, ...otherPorts }).map(([name, port]) => [name, String(port)])),
        ...{ SERVER: server, CA_FILE: join(folder, 'ca.crt'), TOKEN: token, STATE_FOLDER: join(folder, 'agent') },
        ...{ NODE_NAME: 'host', HOST_IP: '127.0.0.1', LOG_LEVEL: 'info', POD_NAME: 'headcut-0' },
      },
    });
    const agent = child;
    await Promise.race([once(agent, 'message'), once(agent, 'exit').then(() => Promise.reject(new Error('it ended')))]);
    const metrics = async (): Promise<string> => {
      const answer = await fetch(`http://127.0.0.1:${healthPort}/metrics`);
      if (!answer.ok) throw new Error(`/metrics answers ${answer.status}`);
      return answer.text();
    };
    return {
      client,
      peerPort,
      api: { server, token },
      metrics,
      invited: () => invited(client),
      cost: async () => {
        if (agent.exitCode !== null || agent.signalCode !== null) throw new Error('the agent has ended');
        agent.send('cost');
        const [{ cost }] = (await once(agent, 'message')) as [{ cost: Cost }];
        return cost;
      },
      writes: async () =>
        (await metrics())
          .split('\n')
          .filter((line) => line.startsWith('headcut_api_writes_total'))
          .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0),
      stop: async () => {
        end.abort();
        agent.kill('SIGKILL');
        await client.close();
        await api.stop();
        rmSync(more, { recursive: true, force: true });
      },
    };
  } catch (error) {
    end.abort();
    child?.kill('SIGKILL');
    await api.stop();
    rmSync(more, { recursive: true, force: true });
    throw error;
  }
}

async function bundledAgent(folder: string): Promise<string> {
  const program = join(folder, 'agent-process.mjs');
  const { code } = await bundleEntry(
    { source: 'test/hostile/agent-process.ts', output: 'agent-process.mjs' },
    { root: ROOT },
  );
  writeFileSync(program, code);
  return program;
}

/** It takes a moment until the agent has said where it listens. */
async function invited(client: KubeClient): Promise<string> {
  const randomBytes = (count: number) => crypto.getRandomValues(new Uint8Array(count));
  for (let tries = 0; ; tries += 1) {
    try {
      return (await invite(client, { ttlMs: 60_000, randomBytes, clock: systemClock })).token;
    } catch (error) {
      if (tries > 100) throw error;
      await systemClock.sleep(100);
    }
  }
}

/** What kubelet and controllers would have made, and a Federation without a pod network, which wants rights on the node. */
async function prepare(client: KubeClient, signal: AbortSignal): Promise<void> {
  const allocatable = { cpu: '8', memory: '16Gi', pods: '110', 'ephemeral-storage': '50Gi' };
  await client.create(NODES, { metadata: { name: 'host', labels: { 'kubernetes.io/os': 'linux' } } });
  await client.patch(
    NODES,
    { name: 'host', subresource: 'status' },
    {
      status: { allocatable, capacity: allocatable, conditions: [{ type: 'Ready', status: 'True' }] },
    },
  );
  await client.apply(FEDERATIONS, { metadata: { name: 'headcut' }, spec: { network: { enabled: false } } } as never, {
    force: true,
  });
  const options = { client, type: NAMESPACES, clock: systemClock, logger: silentLogger };
  const namespaces = new Reflector(options);
  namespaces.onChange((name, after) => {
    if (after === undefined) return;
    void client.create(SERVICE_ACCOUNTS, { metadata: { name: 'default', namespace: name } }).catch(() => {});
  });
  void namespaces.run(signal);
}
