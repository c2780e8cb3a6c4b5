import type { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { CallerCheck } from '../../../src/agent/kubelet-server/authentication.ts';
import type { RequestOptions } from '../../../src/kube/client.ts';
import { jumpingClock } from '../../jumping-clock.ts';

const socket = { authorized: false } as TLSSocket;

function callers() {
  const asked = { tokens: 0 };
  const request = async (_method: string, path: string, { body }: RequestOptions = {}) => {
    if (path.endsWith('subjectaccessreviews')) return { status: { allowed: true } };
    asked.tokens += 1;
    const { token } = (body as { spec: { token: string } }).spec;
    return { status: token === 'scraper' ? { authenticated: true, user: { username: 's', groups: [] } } : {} };
  };
  const clock = jumpingClock();
  const check = new CallerCheck({ client: { request }, clock });
  const call = (token: string) =>
    check.check('node', socket, { method: 'GET', authorization: `Bearer ${token}`, target: '/metrics/resource' });
  return { asked, call, clock };
}

describe('who calls the kubelet port of a virtual node', () => {
  it('is known by its token for a while', async () => {
    const { asked, call } = callers();
    await call('scraper');
    await call('scraper');
    expect(asked.tokens).toBe(1);
  });

  it('is known also while strangers try tokens, which cost the API server a few reviews', async () => {
    const { asked, call, clock } = callers();
    await call('scraper');
    for (let i = 0; i < 5_000; i += 1) await expect(call(`guess ${i}`.replace(' ', '-'))).rejects.toThrow();
    expect(asked.tokens).toBeLessThan(60);
    await call('scraper');
    await clock.sleep(61_000);
    for (let i = 0; i < 200; i += 1) await expect(call(`more-${i}`)).rejects.toThrow();
    await call('scraper');
  });

  it('is nobody with a token of any size', async () => {
    const { asked, call } = callers();
    await expect(call('x'.repeat(20_000))).rejects.toThrow('Unauthorized');
    expect(asked.tokens).toBe(0);
  });
});
