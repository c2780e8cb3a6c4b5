import { describe, expect, it } from 'vitest';
import { problemOf, readPath, readRequest, toTarget } from '../../src/wire/check.ts';
import { ENDPOINTS, POD_STREAM } from '../../src/wire/endpoints.ts';
import { Quantity } from '../../src/wire/schemas.ts';

describe('the path of an upgrade', () => {
  const read = (target: string) => {
    const url = new URL(target, 'https://peer');
    const params = readPath(POD_STREAM.path, url.pathname);
    return params && readRequest(POD_STREAM, { params, query: url.searchParams });
  };

  it('says pod, action and query', () => {
    const asked = read('/v1/pods/12-ab/exec?command=sh&command=-c&tty=true');
    expect(asked?.params).toEqual({ uid: '12-ab', action: 'exec' });
    expect(asked?.query.getAll('command')).toEqual(['sh', '-c']);
  });

  it.each(['/v1/pods/x/exec/y', '/v1/pods/../exec', '/', ''])('is none at "%s"', (path) => {
    expect(read(path)).toBeUndefined();
  });

  it.each(['/v1/pods/x/logs', '/v1/pods/a%2Fb/exec', '/v1/pods/x/exec%00'])('is refused at "%s"', (path) => {
    expect(() => read(path)).toThrow(/params/);
  });
});

it('fills parameters into a path so that they stay one segment', () => {
  const asked = { params: { uid: 'a/b', container: 'c?d' }, query: new URLSearchParams({ follow: 'true' }) };
  expect(toTarget(ENDPOINTS.logs, asked)).toBe('/v1/pods/a%2Fb/logs/c%3Fd?follow=true');
});

describe('a quantity', () => {
  it.each(['0', '100m', '1.5Gi', '.5', '5.', '2e3', '2E-3', '1e18', '110', '64Ki', '3k', '1e+05'])(
    'may be %s',
    (text) => {
      expect(problemOf(Quantity, text)).toBeUndefined();
    },
  );

  it.each(['', '-1', '+1', '1e19', '1e30000000', '1e-19', 'x', '1 Gi', '1Zi', '.', 'e3', '1'.repeat(65), '1\n', 'NaN'])(
    'is not %j',
    (text) => {
      expect(problemOf(Quantity, text)).toBeDefined();
    },
  );
});
