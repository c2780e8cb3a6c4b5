import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NodeNetworkClient } from '../../../src/agent/network/node-network-client.ts';
import type { NodeNetworkKeeper } from '../../../src/agent/node-network/node-network.ts';
import { serveRequests } from '../../../src/agent/node-network/request-socket.ts';
import type { NodeNetwork, TunnelReport } from '../../../src/core/network/node-network.ts';
import { createWireGuardKeys } from '../../../src/core/network/wireguard-key.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { UnixSocket } from '../../../src/runtime/unix-socket.ts';

const [own, other] = [createWireGuardKeys(), createWireGuardKeys()];
const network: NodeNetwork = {
  privateKey: own.privateKey,
  port: 51820,
  probePort: 7445,
  podCidr: '10.244.0.0/24',
  prefix: '100.64.7.0/24',
  reachable: undefined,
  serviceCidrs: [],
  peers: [{ publicKey: other.publicKey, prefix: '100.64.2.0/24', path: 'udp', endpoint: undefined }],
};
const report: TunnelReport = {
  kind: 'kernel',
  mtu: 1420,
  peers: [{ publicKey: 'k', endpoint: undefined, handshakeAt: undefined, receivedBytes: 1, sentBytes: 2 }],
};

let folder: string;
let asked: string[];
/** What the keeper gives at the next `report`. */
let reported: unknown;
let server: UnixSocket;
let client: NodeNetworkClient;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headcut-network-'));
  asked = [];
  reported = report;
  const keeper = {
    apply: async (wanted: NodeNetwork, problems: unknown[]) => {
      asked.push(`apply ${wanted.peers.length} ${problems.length}`);
      return report;
    },
    report: async () => reported,
    routes: async (range: string) => [range],
    fence: () => Promise.reject(new Error('nft failed')),
    removeNetwork: async () => void asked.push('remove'),
  } as unknown as NodeNetworkKeeper;
  const path = join(folder, 'network.sock');
  server = await serveRequests(path, { keeper, logger: silentLogger });
  client = new NodeNetworkClient(path, systemClock);
});

afterEach(() => {
  client.close();
  server.close();
  rmSync(folder, { recursive: true });
});

it('the network part does what the agent asks, and reports', async () => {
  expect(await client.ask({ type: 'apply', network })).toMatchObject({ mtu: 1420, peers: [{ receivedBytes: 1 }] });
  expect(await client.ask({ type: 'report' })).toMatchObject({ kind: 'kernel' });
  reported = undefined;
  expect(await client.ask({ type: 'report' })).toBeUndefined();
  expect(await client.routes('100.64.0.0/10')).toEqual(['100.64.0.0/10']);
  await client.ask({ type: 'remove' });
  expect(asked).toEqual(['apply 1 0', 'remove']);
  expect(client.generation).toBe(1);
});

it('what the network part refuses, or fails in, is told, and it goes on', async () => {
  await expect(client.routes('100.64.0.0/10 }')).rejects.toThrow('the network part of the agent failed: ');
  const spoiled = { ...network, prefix: '100.64.7.0/24 } ; flush ruleset' };
  await expect(client.ask({ type: 'apply', network: spoiled })).rejects.toThrow(
    'the network part of the agent failed: ',
  );
  await expect(client.ask({ type: 'fence', fence: {} as never })).rejects.toThrow('no valid');
  expect(await client.ask({ type: 'report' })).toMatchObject({ kind: 'kernel' });
  expect(asked).toEqual([]);
});

it('an answer that is no report is an error that says so', async () => {
  reported = { kind: 'kernel', mtu: 'wide', peers: [] };
  await expect(client.ask({ type: 'report' })).rejects.toThrow('the network part of the agent answered GET /v1/report');
});
