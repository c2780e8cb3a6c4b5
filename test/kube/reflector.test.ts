import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { ConfigObject, KubeObject } from '../../src/core/kube-objects.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import { Reflector, type ReflectorOptions } from '../../src/kube/reflector.ts';
import { CONFIG_MAPS } from '../../src/kube/resources.ts';
import type { Clock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { jumpingClock } from '../jumping-clock.ts';

type Client = ReflectorOptions<ConfigObject>['client'];

/** Answers of an API server, as those of a reflector's client. */
interface Answers {
  items?: () => ConfigObject[];
  /** The version of the collection now. */
  version: () => string;
  /** What a watch says until it ends. */
  watch?: () => string[];
}

function clientOf(answers: Answers, asked: string[]): Client {
  const stream = (async (_path: string, { query }: { query: Record<string, unknown> }) => {
    asked.push(`watch ${query.resourceVersion}`);
    return { body: Readable.from(answers.watch?.() ?? [], { objectMode: false }), headers: {} };
  }) as unknown as Client['stream'];
  const list = async <T extends KubeObject>(_type: unknown, { pages }: { pages?: number } = {}) => {
    asked.push(pages === 1 ? 'look' : 'list');
    return { items: (answers.items?.() ?? []) as unknown as T[], resourceVersion: answers.version() };
  };
  return { list, stream };
}

/** What a reflector asks within a minute, on a clock that passes by sleeping alone. */
async function askedWithin(ms: number, answers: Answers, clientAs = (client: Client) => client): Promise<string[]> {
  const asked: string[] = [];
  const stop = new AbortController();
  const clock: Clock = jumpingClock(0, (passed) => {
    if (passed >= ms) stop.abort();
  });
  const client = clientAs(clientOf(answers, asked));
  await new Reflector<ConfigObject>({ client, type: CONFIG_MAPS, clock, logger: silentLogger, random: () => 0.5 }).run(
    stop.signal,
  );
  return asked;
}

describe('a reflector does not turn in a circle', () => {
  test('when each watch ends at once without an error', async () => {
    const asked = await askedWithin(60_000, { version: () => '5' });
    expect(asked.filter((one) => one.startsWith('watch')).length).toBeLessThan(25);
  });

  test('when each watch is told that its version expired', async () => {
    const gone = JSON.stringify({ type: 'ERROR', object: { code: 410, metadata: {} } });
    const asked = await askedWithin(60_000, { version: () => '5', watch: () => [`${gone}\n`] });
    expect(asked.filter((one) => one === 'list').length).toBeLessThan(25);
  });

  test('when each list is told that it expired', async () => {
    let lists = 0;
    await askedWithin(60_000, { version: () => '5' }, (client) => ({
      ...client,
      list: () => {
        lists += 1;
        return Promise.reject(new ApiError(410, {}));
      },
    }));
    expect(lists).toBeLessThan(25);
  });
});

describe('a reflector of a datastore that was restored from a backup', () => {
  test('lists anew when the version is below the one that it knows', async () => {
    let version = '900';
    const asked = await askedWithin(2_000, {
      version: () => version,
      watch: () => {
        version = '40';
        return [];
      },
    });
    expect(asked.slice(0, 5)).toEqual(['list', 'watch 900', 'look', 'list', 'watch 40']);
  });

  test('goes on with its watch when the version is the same or a later one, or cannot be compared', async () => {
    for (const version of ['900', '901', 'opaque']) {
      const versions = ['900', version];
      const asked = await askedWithin(2_000, { version: () => versions.shift() ?? version });
      expect(asked.slice(0, 4)).toEqual(['list', 'watch 900', 'look', 'watch 900']);
    }
  });
});
