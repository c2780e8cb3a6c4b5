import { request } from 'node:https';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWebhookServer, type WebhookServer } from '../../../src/agent/admission/webhook-server.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createServingCertificate } from '../../../src/runtime/x509.ts';

let server: WebhookServer;
let port: number;
const sockets: TLSSocket[] = [];

beforeEach(async () => {
  const validity = { from: new Date(Date.now() - 1e6), to: new Date(Date.now() + 1e8) };
  server = createWebhookServer(await createServingCertificate('127.0.0.1', validity), () => undefined);
  port = await server.listen('127.0.0.1', 0);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

function ask(body: string, localAddress = '127.0.0.1'): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const options = { host: '127.0.0.1', port, path: '/daemon-sets', method: 'POST', headers, localAddress };
    const sent = request({ ...options, rejectUnauthorized: false, agent: false }, async (answer) => {
      let text = '';
      for await (const chunk of answer) text += chunk;
      resolve({ status: answer.statusCode ?? 0, text });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const review = (spec: object = {}): string =>
  JSON.stringify({ request: { uid: 'u', object: { metadata: { name: 'd' }, spec: { template: { spec } } } } });

/** A question of 4 MB of which nearly all is sent, and no end. */
function unfinished(localAddress: string): void {
  const socket = tlsConnect({ host: '127.0.0.1', port, localAddress, rejectUnauthorized: false } as never);
  sockets.push(socket);
  socket.on('error', () => {});
  socket.write(
    'POST /daemon-sets HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 4000000\r\n\r\n',
  );
  socket.write(Buffer.alloc(3_900_000, 0x20));
}

describe('the webhook', () => {
  it('answers the API server while pods of the cluster hold all that they can', { timeout: 30_000 }, async () => {
    for (let host = 2; host < 8; host += 1) for (let i = 0; i < 6; i += 1) unfinished(`127.0.0.${host}`);
    await systemClock.sleep(1_000);
    expect(server.bodyBytes()).toBeGreaterThan(0);
    expect(server.bodyBytes()).toBeLessThan(25 * 1024 * 1024);
    const { status, text } = await ask(review());
    expect(status).toBe(200);
    expect(JSON.parse(text).response).toMatchObject({ uid: 'u', allowed: true });
  });

  it.each([
    ['nothing', 'null'],
    ['an object without metadata', '{"request":{"uid":"u","object":{"metadata":null}}}'],
    ['nesting', `{"request":${'['.repeat(300_000)}`],
    ['a prototype', '{"__proto__":{"request":{}}}'],
  ])('refuses %s', async (_what, body) => {
    expect((await ask(body)).status).toBeGreaterThanOrEqual(400);
    expect((await ask(review())).status).toBe(200);
  });
});
