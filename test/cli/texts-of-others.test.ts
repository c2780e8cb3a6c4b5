import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { isPlain } from '../../src/core/plain-text.ts';
import { FixedCluster, OBJECTS } from './cluster-fixture.ts';
import { run } from './run.ts';

const HOSTILE = '\u001b[2J\u001b]52;c;ZXZpbA==\u0007\u009b31m\u202e\u200b\r\nProblems:\n- none';
/** What peers, their kubelets and users write freely. */
const FREE = new Set(['message', 'version', 'problem', 'reason', 'endpoints', 'prefix']);

/** The cluster of all other tests, in which everything that others may write has something for a terminal in it. */
const spoiled = (): typeof OBJECTS => ({
  ...JSON.parse(JSON.stringify(OBJECTS), (name, value) => {
    if (!FREE.has(name)) return value;
    if (Array.isArray(value)) return value.map((one) => (typeof one === 'string' ? one + HOSTILE : one));
    return typeof value === 'string' ? value + HOSTILE : value;
  }),
  // Its own agent's words.
  federations: OBJECTS.federations,
});

const COMMANDS = [
  'status',
  'status -o wide',
  'peers',
  'peer b',
  'peer c',
  'pods -A -o wide',
  'explain pod refused -n demo',
  'explain pod big -n demo',
  'explain namespace demo',
  'explain peer b',
  'explain peer c',
  'what-if b dies',
  'drain nobody',
];

describe('what others wrote', () => {
  test.each(COMMANDS)('is nothing that a terminal acts on in headcut %s', async (line) => {
    const { out, error } = await run(line.split(' '), new FixedCluster(spoiled()).client);
    expect(isPlain(out + error)).toBe(true);
  });

  test('cannot make lines of its own in lists of problems and tables', async () => {
    const { out } = await run(['status'], new FixedCluster(spoiled()).client);
    expect(out).toContain('\\u001b[2J');
    expect(out.split('\n').filter((line) => line === '- none')).toEqual([]);
  });

  test.each(['status', 'peers', 'peer b'])('is the same data in all forms of headcut %s', async (line) => {
    const [json, yaml] = await Promise.all(
      ['json', 'yaml'].map((form) => run([...line.split(' '), '-o', form], new FixedCluster(spoiled()).client)),
    );
    expect(isPlain(`${json?.out}${yaml?.out}`)).toBe(true);
    expect(json?.out).toContain('\\u001b');
    expect(JSON.stringify(JSON.parse(json?.out ?? ''))).toContain(JSON.stringify(HOSTILE).slice(1, -1));
    expect(parse(yaml?.out ?? '')).toEqual(JSON.parse(json?.out ?? ''));
  });

  test('is completed only where it is one word', async () => {
    const peers = ['fine', '$(reboot)', 'a b', '*', '\u001b[2J'].map((name) => ({ metadata: { name } }));
    const { out } = await run(['__complete', '--', 'peer', ''], new FixedCluster({ ...OBJECTS, peers }).client);
    expect(out).toBe('fine\n');
  });
});
