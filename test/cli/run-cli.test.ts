import { describe, expect, it } from 'vitest';
import { renderTable } from '../../src/cli/table.ts';
import { parseDuration } from '../../src/core/duration.ts';
import { FixedCluster } from './cluster-fixture.ts';
import { run } from './run.ts';

describe('headcut', () => {
  it('shows its commands when asked for help or nothing', async () => {
    for (const argv of [[], ['help'], ['--help']]) {
      const { code, out } = await run(argv);
      expect(code).toBe(0);
      expect(out).toMatch(/join TOKEN/);
    }
  });

  it('tells its version without a cluster', async () => {
    expect(await run(['version', '--client'])).toMatchObject({ code: 0, out: 'headcut 9.9.9\n', connected: false });
    expect(JSON.parse((await run(['version', '--client', '-o', 'json'])).out)).toEqual({ version: '9.9.9' });
  });

  it.each([
    [['fly'], /unknown command "fly"/],
    [['join'], /usage: headcut join TOKEN/],
    [['join', 'a', 'b'], /usage: headcut join TOKEN/],
    [['status', '--ttl', '1m'], /has no --ttl/],
    [['invite', '--colour'], /--colour/],
    [['status', '-o', 'xml'], /-o takes json, yaml, wide, name/],
    [['explain', 'pod'], /usage: headcut explain/],
    [['stat'], /did you mean status/],
    [['completion', 'csh'], /bash\|zsh\|fish/],
  ])('exits with 2 and says what is wrong with %j, on standard error alone', async (argv, message) => {
    const { code, error, out, connected } = await run(argv);
    expect(code).toBe(2);
    expect(error).toMatch(message);
    expect([out, connected]).toEqual(['', false]);
  });

  it('hands everything after "lab" to the lab as it is, and passes its exit code on', async () => {
    const seen: (readonly string[])[] = [];
    const runLab = async (args: readonly string[]) => seen.push(args) + 2;
    const { code, connected } = await run(['lab', 'shell', 'b', '--name', 'x', '-h'], undefined, { runLab });
    expect([code, connected, seen]).toEqual([3, false, [['shell', 'b', '--name', 'x', '-h']]]);
    expect(await run(['lab', 'up'])).toMatchObject({ code: 1, error: 'error: no lab here\n' });
  });

  it('exits with 1 when the operation fails', async () => {
    expect(await run(['status'])).toMatchObject({ code: 1, error: 'error: no cluster here\n', out: '' });
  });
});

describe('completion', () => {
  const complete = async (...words: string[]) =>
    (await run(['__complete', '--', ...words], new FixedCluster().client)).out.trim().split('\n');

  it.each([
    [['st'], ['status']],
    [
      ['peer', ''],
      ['b', 'c'],
    ],
    [
      ['offload', 'de'],
      ['default', 'demo'],
    ],
    [
      ['explain', ''],
      ['namespace', 'peer', 'pod', 'service'],
    ],
    [
      ['explain', 'pod', '-n', 'demo', 'web'],
      ['web-1', 'web-2', 'web-3'],
    ],
    [
      ['status', '--context', ''],
      ['a', 'b'],
    ],
    [
      ['doctor', '--peer', ''],
      ['b', 'c'],
    ],
    [['pods', '-n', 'dem'], ['demo']],
    [['drain', '--un'], ['--undo']],
    [
      ['completion', ''],
      ['bash', 'fish', 'zsh'],
    ],
  ])('knows how %j goes on', async (words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });

  it('offers nothing, and says nothing, when the cluster cannot be asked', async () => {
    expect(await run(['__complete', '--', 'peer', ''])).toMatchObject({ code: 0, out: '', error: '' });
  });

  it.each(['bash', 'zsh', 'fish'])('has a script for %s', async (shell) => {
    expect((await run(['completion', shell])).out).toContain('headcut __complete --');
  });
});

it.each([
  ['90s', 90_000],
  ['15m', 900_000],
  ['1h30m', 5_400_000],
  ['250ms', 250],
])('reads the duration %s', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

it.each(['', '15', 'm', '1.5h', '-1m', '1d'])('refuses "%s" as a duration', (text) => {
  expect(() => parseDuration(text)).toThrow(/15m/);
});

it('aligns the columns of a table and leaves no white space at line ends', () => {
  expect(
    renderTable(
      ['A', 'LONG'],
      [
        ['wide cell', 'x'],
        ['b', ''],
      ],
    ),
  ).toBe('A           LONG\nwide cell   x\nb');
});
