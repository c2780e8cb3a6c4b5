import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../src/cli/duration.ts';
import { type CliDeps, runCli } from '../../src/cli/run-cli.ts';
import { renderTable } from '../../src/cli/table.ts';
import { systemClock } from '../../src/runtime/clock.ts';

async function run(...argv: string[]): Promise<{ code: number; out: string; error: string; connected: boolean }> {
  const result = { out: '', error: '', connected: false };
  const deps: CliDeps = {
    version: '9.9.9',
    connect: () => {
      result.connected = true;
      return Promise.reject(new Error('no cluster here'));
    },
    clock: systemClock,
    randomBytes: (count) => new Uint8Array(count),
    out: (text) => {
      result.out += `${text}\n`;
    },
    error: (text) => {
      result.error += `${text}\n`;
    },
  };
  return { code: await runCli(argv, deps), ...result };
}

describe('headcut', () => {
  it('shows its commands when asked for help or nothing', async () => {
    for (const argv of [[], ['help'], ['invite', '--help']]) {
      const { code, out } = await run(...argv);
      expect(code).toBe(0);
      expect(out).toMatch(/headcut join TOKEN/);
    }
  });

  it('tells its version without a cluster', async () => {
    expect(await run('version')).toMatchObject({ code: 0, out: 'headcut 9.9.9\n', connected: false });
    expect(JSON.parse((await run('version', '-o', 'json')).out)).toEqual({ version: '9.9.9' });
  });

  it.each([
    [['fly'], /unknown command "fly"/],
    [['join'], /usage: headcut join TOKEN/],
    [['join', 'a', 'b'], /usage: headcut join TOKEN/],
    [['status', '--ttl', '1m'], /has no --ttl/],
    [['invite', '--colour'], /--colour/],
    [['status', '-o', 'yaml'], /-o takes json/],
  ])('exits with 2 and says what is wrong with %j, on standard error alone', async (argv, message) => {
    const { code, error, out, connected } = await run(...argv);
    expect(code).toBe(2);
    expect(error).toMatch(message);
    expect([out, connected]).toEqual(['', false]);
  });

  it('exits with 1 when the operation fails', async () => {
    expect(await run('status')).toMatchObject({ code: 1, error: 'error: no cluster here\n', out: '' });
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
