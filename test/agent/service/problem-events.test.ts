import { expect, it } from 'vitest';
import { ProblemEvents } from '../../../src/agent/service/problem-events.ts';
import type { KubeObject } from '../../../src/core/kube-objects.ts';
import { isPlain } from '../../../src/core/plain-text.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { jumpingClock } from '../../jumping-clock.ts';

const HOUR_MS = 3_600_000;
const link = { id: 'b'.repeat(52), name: 'b' };
const serviceOf = (name: string): KubeObject => ({ metadata: { name, namespace: 'demo', uid: `uid-${name}` } });

function start(error?: Error) {
  const clock = jumpingClock();
  const written: { name: string; message: string; reason: string }[] = [];
  const create = async (_type: unknown, { metadata, ...event }: KubeObject): Promise<KubeObject> => {
    written.push({ name: metadata.name, ...(event as unknown as { message: string; reason: string }) });
    if (error !== undefined) throw error;
    return { metadata };
  };
  const events = new ProblemEvents({ client: { create: create as never }, clock, logger: silentLogger });
  return { clock, written, events };
}

const saying = (message: string, service = 'web') => ({ service, reason: 'Refused', message });

it('a problem of a Service is one event an hour, whatever its peer says each time', async () => {
  const { clock, written, events } = start();
  for (let i = 0; i < 100; i += 1) await events.report(link, [saying(`no ${i}`), saying(`again ${i}`)], serviceOf);
  expect(written).toHaveLength(1);
  await events.report({ ...link, id: 'c'.repeat(52) }, [saying('no')], serviceOf);
  expect(written, 'of each peer').toHaveLength(2);
  await clock.sleep(HOUR_MS);
  await events.report(link, [saying('still not')], serviceOf);
  expect(written).toHaveLength(3);
  expect(new Set(written.map(({ name }) => name)).size).toBe(3);
});

it('such events are bounded also where answers come at once, and are of Services that there are', async () => {
  const { written, events } = start();
  const many = Array.from({ length: 10_000 }, (_, i) => saying('no', `s${i}`));
  await Promise.all([events.report(link, many, serviceOf), events.report(link, many, serviceOf)]);
  expect(written).toHaveLength(50);
  await events.report(link, many, () => undefined);
  expect(written).toHaveLength(50);
});

it('their texts are plain, and one that was written before is none that fails', async () => {
  const { written, events } = start(new ApiError(409, { reason: 'AlreadyExists' }));
  const problem = { service: 'web', reason: '\u001b[2J\u202eno', message: 'a\u001b]52;c;x\u0007\nb' };
  await events.report(link, [problem], serviceOf);
  expect(isPlain(written[0]?.message ?? '')).toBe(true);
  expect(isPlain(written[0]?.reason ?? '')).toBe(true);
});
