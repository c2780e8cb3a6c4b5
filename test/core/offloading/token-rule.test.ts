import { expect, test } from 'vitest';
import type { Pod, Volume } from '../../../src/core/kube-objects.ts';
import { isTokenOfAccount, mountsToken, tokensLeave, withoutTokens } from '../../../src/core/offloading/token-rule.ts';

const pod = (...volumes: Volume[]): Pod => ({
  metadata: { name: 'web', namespace: 'demo', uid: 'u1' },
  spec: { containers: [{ name: 'c' }], ...(volumes.length === 0 ? {} : { volumes }) },
});
const token = { serviceAccountToken: { path: 'token' } };
const root = { configMap: { name: 'kube-root-ca.crt' } };

test('tokens leave unless somebody says otherwise, and the namespace has the last word', () => {
  const [send, keep] = [{ serviceAccountTokens: 'Send' }, { serviceAccountTokens: 'KeepHome' }] as const;
  expect(tokensLeave(undefined, undefined)).toBe(true);
  expect(tokensLeave({}, send)).toBe(true);
  expect(tokensLeave({}, keep)).toBe(false);
  expect(tokensLeave(undefined, keep)).toBe(false);
  expect(tokensLeave(keep, send)).toBe(false);
  expect(tokensLeave(send, keep)).toBe(true);
});

test('a pod whose tokens stay at home is sent with all else of its volumes', () => {
  const local = pod({ name: 'v', projected: { defaultMode: 420, sources: [token, root] } });
  expect(mountsToken(local)).toBe(true);
  const sent = withoutTokens(local);
  expect(sent.spec.volumes).toEqual([{ name: 'v', projected: { defaultMode: 420, sources: [root] } }]);
  expect(mountsToken(sent)).toBe(false);
});

test('a volume of tokens alone is empty then, so that its mounts are right', () => {
  expect(withoutTokens(pod({ name: 'v', projected: { sources: [token] } })).spec.volumes).toEqual([
    { name: 'v', emptyDir: {} },
  ]);
});

test('a pod without tokens is sent as it is', () => {
  const local = pod({ name: 'v', emptyDir: {} });
  expect(withoutTokens(local)).toBe(local);
  expect(mountsToken(pod())).toBe(false);
});

test('a Secret that holds a token without end is one too', () => {
  expect(isTokenOfAccount({ type: 'kubernetes.io/service-account-token' })).toBe(true);
  expect(isTokenOfAccount({ type: 'Opaque' })).toBe(false);
});
