import { describe, expect, test } from 'vitest';
import { ANSWER_HEADERS, type GuardedRequest, refusalOf, type Session } from '../../src/console/request-guard.ts';

const session: Session = { secret: 's3cret', csrfToken: 't0ken', port: 4711 };
const host = '127.0.0.1:4711';
const look: GuardedRequest = { method: 'GET', url: '/s3cret/live?pod=a%2Fb', headers: { host } };
const act: GuardedRequest = {
  method: 'POST',
  url: '/s3cret/do',
  headers: { host, origin: `http://${host}`, 'x-headcut-csrf': 't0ken', 'sec-fetch-site': 'same-origin' },
};

const refusal = (request: GuardedRequest, more: Partial<GuardedRequest> = {}): string | undefined =>
  refusalOf({ ...request, ...more, headers: { ...request.headers, ...more.headers } }, session)?.message;

describe('who may use the console', () => {
  test('its own page, and whoever opens its address', () => {
    expect(refusal(look)).toBeUndefined();
    expect(refusal(look, { headers: { host: 'localhost:4711', 'sec-fetch-site': 'none' } })).toBeUndefined();
    expect(refusal(look, { headers: { host: '[::1]:4711' } })).toBeUndefined();
    expect(refusal(act)).toBeUndefined();
  });

  test.each([
    ['another user of the machine, who lacks the secret', look, { url: '/' }],
    ['a secret that is nearly right', look, { url: '/s3cre/live' }],
    ['a secret with more behind it', look, { url: '/s3crett/live' }],
    ['the secret anywhere else', look, { url: '/live?s3cret' }],
    ['no path', look, { url: '' }],
    ['a name that leads to 127.0.0.1 (DNS rebinding)', look, { headers: { host: 'evil.example:4711' } }],
    ['a host name that begins as ours', look, { headers: { host: '127.0.0.1.evil.example:4711' } }],
    ['another port', look, { headers: { host: '127.0.0.1:80' } }],
    ['no host', look, { headers: { host: undefined } }],
    ['a page of another origin', look, { headers: { origin: 'https://evil.example' } }],
    ['a page without an origin, such as a sandboxed frame', look, { headers: { origin: 'null' } }],
    ['a page of another port', look, { headers: { origin: 'http://127.0.0.1:80' } }],
    ['ours by another scheme', look, { headers: { origin: `https://${host}` } }],
    ['a link or image of another site', look, { headers: { 'sec-fetch-site': 'cross-site' } }],
    ['a page of another port, as browsers tell', look, { headers: { 'sec-fetch-site': 'same-site' } }],
    ['an action without an origin', act, { headers: { origin: undefined } }],
    ['an action without the second secret', act, { headers: { 'x-headcut-csrf': undefined } }],
    ['an action with another one', act, { headers: { 'x-headcut-csrf': 't0kem' } }],
    ['an action with it twice', act, { headers: { 'x-headcut-csrf': ['t0ken', 't0ken'] } }],
    ['another method', act, { method: 'DELETE' }],
    ['asking beforehand, as other origins do', look, { method: 'OPTIONS' }],
  ])('not %s', (_who, request, more) => {
    const message = refusal(request as GuardedRequest, more as Partial<GuardedRequest>);
    expect(message).toBeDefined();
    expect(message).not.toMatch(/s3cret|t0ken/);
  });

  test('answers let the page run its own script alone, in no frame, and tell its address to nobody', () => {
    const policy = ANSWER_HEADERS['content-security-policy'];
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"])
      expect(policy).toContain(part);
    expect(policy).not.toContain('unsafe');
    expect(ANSWER_HEADERS['referrer-policy']).toBe('no-referrer');
  });
});
