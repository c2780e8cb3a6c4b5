import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createKubeClient } from '../../src/kube/client.ts';
import { inClusterConnection } from '../../src/kube/in-cluster.ts';
import { callPlainly } from '../../src/kube/plain-call.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createServingCertificate } from '../../src/runtime/x509.ts';

const folder = mkdtempSync(join(tmpdir(), 'headcut-ca-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a cluster gets another CA: its pods go on reaching the API server, and trust the former one no more', async () => {
  const validity = { from: new Date(Date.now() - 60_000), to: new Date(Date.now() + 3_600_000) };
  const [first, second] = await Promise.all([1, 2].map(() => createServingCertificate('127.0.0.1', validity)));
  if (first === undefined || second === undefined) throw new Error('there are no certificates');
  const contextOf = ({ key, certificate }: typeof first) => ({ key, cert: certificate });
  const server = createServer(contextOf(first), (_request, response) => response.end('{"kind":"Status"}'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  writeFileSync(join(folder, 'token'), 'secret');
  writeFileSync(join(folder, 'ca.crt'), first.certificate);
  let now = 0;
  const env = {
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT: String((server.address() as AddressInfo).port),
  };
  const connection = inClusterConnection(env, folder, { monotonic: () => now });
  const client = createKubeClient(connection, systemClock);
  const call = { method: 'GET', path: '/' } as const;
  try {
    expect(await client.request('GET', '/')).toEqual({ kind: 'Status' });
    expect((await callPlainly(connection, call)).status).toBe(200);

    server.setSecureContext(contextOf(second));
    server.closeAllConnections();
    writeFileSync(join(folder, 'ca.crt'), second.certificate);
    await expect(callPlainly(connection, call)).rejects.toThrow('self-signed certificate');
    now += 61_000;
    expect(await client.request('GET', '/')).toEqual({ kind: 'Status' });
    expect((await callPlainly(connection, call)).status).toBe(200);

    server.setSecureContext(contextOf(first));
    server.closeAllConnections();
    await expect(client.request('GET', '/')).rejects.toThrow();

    // A file that is being replaced is as it was.
    rmSync(join(folder, 'ca.crt'));
    now += 61_000;
    server.setSecureContext(contextOf(second));
    expect(await client.request('GET', '/')).toEqual({ kind: 'Status' });
  } finally {
    await client.close();
    server.closeAllConnections();
    server.close();
  }
});
