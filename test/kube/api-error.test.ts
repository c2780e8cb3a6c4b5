import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';
import { expect, test } from 'vitest';
import { CodedError } from '../../src/core/coded-error.ts';
import { ApiError, isTransient } from '../../src/kube/api-error.ts';

/** What becomes of a request to a port of this machine at which `connected` is done to whoever comes. */
async function failureAt(connected: 'refuse' | 'hang up'): Promise<unknown> {
  const server = createServer((incoming) => incoming.socket.destroy());
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  if (connected === 'refuse') await new Promise((resolve) => void server.close(resolve));
  try {
    return await request(`http://127.0.0.1:${port}/`);
  } catch (error) {
    return error;
  } finally {
    server.close();
  }
}

test('what a server cannot answer now is worth another try, and so is one that is out of reach', async () => {
  expect([500, 503, 429, 404, 409].map((status) => isTransient(new ApiError(status, {})))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
  expect(isTransient(await failureAt('refuse'))).toBe(true);
  expect(isTransient(await failureAt('hang up'))).toBe(true);
});

test('what stays wrong is not', () => {
  expect(isTransient(new CodedError('Unavailable', 'no agent'))).toBe(false);
  expect(isTransient(new TypeError('undefined is not a function'))).toBe(false);
  for (const code of ['ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'])
    expect(isTransient(Object.assign(new Error('not by that certificate'), { code }))).toBe(false);
});
