import { describe, expect, it } from 'vitest';
import { parseUpgradePath, toPath } from '../../src/wire/endpoints.ts';

describe('parseUpgradePath', () => {
  it('reads pod, action and query', () => {
    const parsed = parseUpgradePath('/v1/pods/12-ab/exec?command=sh&command=-c&tty=true');
    expect(parsed).toMatchObject({ uid: '12-ab', action: 'exec' });
    expect(parsed?.query.getAll('command')).toEqual(['sh', '-c']);
  });

  it.each(['/v1/pods/x/logs', '/v1/pods/x/exec/y', '/v1/pods/../exec', '/v1/pods/a%2Fb/exec', '/', ''])(
    'knows no upgrade at "%s"',
    (path) => {
      expect(parseUpgradePath(path)).toBeUndefined();
    },
  );
});

it('fills parameters into a path so that they stay one segment', () => {
  expect(toPath('/v1/pods/:uid/logs/:container', { uid: 'a/b', container: 'c?d' })).toBe('/v1/pods/a%2Fb/logs/c%3Fd');
});
