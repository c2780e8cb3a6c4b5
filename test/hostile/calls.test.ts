import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { CALLS, type Call } from './contract.ts';
import { CostBounds } from './cost-bounds.ts';
import { type Host, startHost } from './host.ts';
import { createIdentity, HostileMember } from './hostile-member.ts';
import { hostileValues, placesIn, sampleOf, valueAt, withAt } from './hostile-values.ts';

let host: Host;
let enemy: HostileMember;
let endpoint: string;
let bounds: CostBounds;

beforeAll(async () => {
  host = await startHost();
  endpoint = `127.0.0.1:${host.peerPort}`;
  enemy = new HostileMember(await createIdentity('enemy'));
  await enemy.join(await host.invited());
  // What is compiled, read and cached once is no cost of an attack.
  for (const call of CALLS) await attack(call, bodyOf(call));
  bounds = new CostBounds(host, (await host.cost()).rssMb);
}, 120_000);
afterAll(() => host?.stop());

const bodyOf = ({ body }: Call): string | undefined =>
  body === undefined ? undefined : JSON.stringify(sampleOf(body));

function targetOf({ path, params }: Call, more: Record<string, string> = {}): string {
  const values = { ...(params === undefined ? {} : (sampleOf(params) as Record<string, string>)), ...more };
  return path.replace(/:([A-Za-z]+)/g, (_whole, name: string) => encodeURIComponent(values[name] ?? 'c'));
}

/** A call of which nothing is waited for that streams for ever. */
async function attack(call: Call, body?: string, target = targetOf(call)): Promise<number> {
  const late = systemClock.sleep(500).then(() => ({ status: -1 }));
  const { status } = await Promise.race([enemy.call(endpoint, call.method, target, body), late]);
  return status;
}

describe('a member that sends garbage costs no more than its share', () => {
  test.each(CALLS.filter(({ body }) => body !== undefined).map((call) => [call.name, call] as const))(
    'in the fields of %s',
    { timeout: 60_000 },
    async (_name, call) => {
      const sample = sampleOf(call.body ?? {});
      const bytes = Math.min(call.bodyBytes, 256 * 1024);
      const garbage = placesIn(sample).flatMap((place) =>
        hostileValues(valueAt(sample, place), bytes).map(({ what, json }) => ({ place, what, json })),
      );
      // Others each time something is changed here or there, and the same ones on each run.
      const chosen = fc.sample(fc.shuffledSubarray(garbage, { minLength: 25, maxLength: 25 }), { numRuns: 1, seed: 7 });
      await bounds.within(async () => {
        for (const { place, json } of chosen[0] ?? []) {
          const status = await attack(call, withAt(sample, place, json));
          expect(status).not.toBe(500);
        }
      });
    },
  );

  test.each(CALLS.map((call) => [call.name, call] as const))(
    'in the path and the size of %s',
    { timeout: 60_000 },
    async (_name, call) => {
      const texts = ['..%2f..', '\u0000', 'x'.repeat(10_000), '%', "'; --", '__proto__', 'constructor'];
      await bounds.within(async () => {
        for (const text of texts) {
          const parameters = Object.fromEntries(
            [...call.path.matchAll(/:([A-Za-z]+)/g)].map(([, name]) => [name, text]),
          );
          await attack(call, bodyOf(call), `${targetOf(call, parameters)}?q=${'a'.repeat(4_000)}`);
        }
        if (call.body === undefined) return;
        await attack(call, '{');
        await attack(call, '['.repeat(call.bodyBytes - 1));
        expect(await attack(call, ' '.repeat(call.bodyBytes + 1))).not.toBe(200);
      });
    },
  );
});
