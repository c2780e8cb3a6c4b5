import dnsPacket from 'dns-packet';
import { afterEach, expect, test } from 'vitest';
import { askAddress } from '../../src/runtime/ask-address.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { listenForDns } from '../../src/runtime/dns-transport.ts';

const HOST = '127.0.0.1';
const NAME = 'own.address.headcut';
const NO_ERROR = 0;
const SERVER_FAILURE = 2;
const NAME_ERROR = 3;
const REFUSED = 5;
const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

/** Answers with these codes in turn, the last for ever. */
async function startServer(codes: number[], port = 0): Promise<string> {
  const listener = await listenForDns(HOST, port, (_client, message) => {
    const { id = 0, questions = [] } = dnsPacket.decode(message);
    const [code = NO_ERROR] = codes.length > 1 ? codes.splice(0, 1) : codes;
    const answers = code === NO_ERROR ? [{ type: 'A' as const, name: NAME, data: '100.64.7.9' }] : [];
    return Promise.resolve(dnsPacket.encode({ type: 'response', id, flags: code, questions, answers }));
  });
  running.push(listener);
  return `${HOST}:${listener.port}`;
}

test('is asked until it is told, however long the nameserver knows nothing yet', async () => {
  const codes = Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? SERVER_FAILURE : REFUSED));
  const problems: string[] = [];
  const server = await startServer([...codes, NO_ERROR]);
  const onWait = (problem: string): number => problems.push(problem);
  expect(await askAddress(server, NAME, { everyMs: 1, onWait })).toBe('100.64.7.9');
  expect(problems).toEqual(['ESERVFAIL']);
});

test('is asked until there is a nameserver', async () => {
  const server = await startServer([NO_ERROR]);
  for (const one of running.splice(0)) await one.close();
  let problem = '';
  const address = askAddress(server, NAME, { everyMs: 1, onWait: (told) => (problem = told) });
  await systemClock.sleep(300);
  await startServer([NO_ERROR], Number(server.split(':')[1]));
  expect(await address).toBe('100.64.7.9');
  expect(problem).toBe('ECONNREFUSED');
});

test('is none where the nameserver says so', async () => {
  expect(await askAddress(await startServer([NAME_ERROR]), NAME, { everyMs: 1 })).toBeUndefined();
});
