import { randomBytes } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Console, startConsole } from '../../src/console/console-server.ts';
import { PAGE_FILES } from '../../src/console/page-files.ts';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import type { PeerObject } from '../../src/core/membership/peer-object.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { FakeCluster } from './fake-cluster.ts';
import { recordedFederation } from './recorded-federation.ts';

/** Parsed, and looked at by what is expected of it. */
type Json = ReturnType<typeof JSON.parse>;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headcut-page-'));
  await mkdir(folder, { recursive: true });
  for (const { file } of Object.values(PAGE_FILES)) await writeFile(join(folder, file), `this is ${file}`);
});
afterAll(() => rm(folder, { recursive: true }));

let cluster: FakeCluster;
let served: Console;
let stop: AbortController;

async function start(mayDo?: FakeCluster['mayDo'], namespace = 'shop'): Promise<void> {
  cluster = new FakeCluster(recordedFederation({ members: 5, now: Date.now() }).objects);
  if (mayDo !== undefined) cluster.mayDo = mayDo;
  stop = new AbortController();
  served = await startConsole({
    ...{ client: cluster.client, namespace, pageFolder: folder, port: 0, version: '9.9.9', randomBytes },
    ...{ clock: systemClock, logger: silentLogger, signal: stop.signal },
  });
}
beforeEach(() => start());
afterEach(async () => {
  stop.abort();
  await served.ended;
});

/** Reads the stream until all of these sections came. */
async function sections(
  names: string[],
  path = 'live',
  isSo: (found: Record<string, Json>) => boolean = () => true,
): Promise<Record<string, Json>> {
  const gone = new AbortController();
  const response = await fetch(served.url + path, { signal: gone.signal });
  const found: Record<string, Json> = {};
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    const whole = text.slice(0, text.lastIndexOf('\n\n') + 1);
    for (const [, name = '', data = ''] of whole.matchAll(/event: (\S+)\ndata: (.*)\n/g))
      found[name] = JSON.parse(data);
    if (names.every((name) => name in found) && isSo(found)) break;
  }
  gone.abort();
  return found;
}

async function act(body: object, token?: string): Promise<{ status: number; lines: Json[] }> {
  const csrf = token ?? (await sections(['hello'])).hello.csrfToken;
  const response = await fetch(`${served.url}do`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-headcut-csrf': csrf, origin: new URL(served.url).origin },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    lines: text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  };
}

describe('the server of the console', () => {
  test('listens on loopback alone, on a port that was free, with a long secret in its address', () => {
    expect(served.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{43}\/$/);
  });

  test('gives the page, and no other file', async () => {
    expect(await (await fetch(served.url)).text()).toBe('this is index.html');
    expect(await (await fetch(`${served.url}page.js`)).text()).toBe('this is page.js');
    for (const path of ['package.json', '%2e%2e/package.json', '..%2f..%2fetc/passwd', 'page.js/'])
      expect([403, 404], path).toContain((await fetch(served.url + path)).status);
  });

  test('refuses other names, other pages and those without the secret, with the same headers as ever', async () => {
    const { origin, port, pathname } = new URL(served.url);
    expect((await fetch(origin)).status).toBe(403);
    expect((await fetch(served.url, { headers: { origin: 'https://evil.example' } })).status).toBe(403);
    const rebound = await new Promise<{ status?: number | undefined; policy: unknown }>((resolve) =>
      request({ host: '127.0.0.1', port, path: pathname, headers: { host: 'evil.example' } }, (answer) => {
        answer.resume();
        resolve({ status: answer.statusCode, policy: answer.headers['content-security-policy'] });
      }).end(),
    );
    expect(rebound).toEqual({ status: 403, policy: expect.stringContaining("default-src 'none'") });
    expect(await act({ action: 'offload', subject: 'blog', dryRun: true }, 'guessed')).toMatchObject({ status: 403 });
    expect(cluster.writes).toEqual([]);
  });

  test('streams what there is, and each change of it, from one watch however many look', async () => {
    const first = await sections(['federation', 'workloads', 'time', 'rights']);
    expect(first.federation.members).toHaveLength(5);
    expect(first.federation.problems[0]).toMatchObject({ peer: 'turku' });
    expect(first.workloads.namespaces[0]).toMatchObject({ name: 'media', offloaded: true });
    expect(first.time.entries[0].text).toContain('8.4 s');
    const before = [cluster.watches.size, cluster.lists];
    await Promise.all(['live', 'live', 'live'].map((path) => sections(['federation'], path)));
    expect([cluster.watches.size, cluster.lists]).toEqual(before);
    const peer = cluster.find<PeerObject>('peers', 'bergen');
    cluster.set('peers', { ...peer, status: { ...peer.status, state: 'Unreachable' } });
    await sections(['federation'], 'live', ({ federation }) => federation.problems.length === 2);
  });

  test('says that the API server does not answer any more, and shows what it said last', async () => {
    cluster.fail(new Error('connect ECONNREFUSED'));
    const isTold = ({ federation }: Record<string, Json>): boolean => federation.problems.length === 2;
    const { federation } = await sections(['federation'], 'live', isTold);
    expect(federation.problems[0].text).toMatch(/does not answer \(connect ECONNREFUSED\)/);
    expect(federation.members).toHaveLength(5);
  });

  test('offers at once what may be done with a namespace that was made just now', async () => {
    const isOffered = ({ rights }: Record<string, Json>): boolean => rights.namespaces.fresh?.includes('offload');
    const offered = sections(['rights'], 'live', isOffered);
    await sections(['rights']);
    cluster.set('namespaces', { metadata: { name: 'fresh' } });
    await offered;
  });

  test('does an action after its dry run was shown, once, and by the operation of the command', async () => {
    const early = await act({ action: 'offload', subject: 'blog', dryRun: false, ticket: 'made-up' });
    expect(early).toMatchObject({ status: 412 });
    const shown = await act({ action: 'offload', subject: 'blog', dryRun: true });
    expect(shown.lines[0].line).toBe('Namespace blog would be offloaded: its new pods may run on other members.');
    expect(cluster.writes).toEqual([]);
    const { ticket } = shown.lines.at(-1);
    expect(await act({ action: 'offload', subject: 'media', dryRun: false, ticket })).toMatchObject({ status: 412 });
    const done = await act({ action: 'offload', subject: 'blog', dryRun: false, ticket });
    expect(done.lines.at(-1)).toEqual({ done: true });
    expect(cluster.writes).toEqual([
      expect.stringContaining('namespaces/blog {"metadata":{"labels":{"headcut.dev/offload":"true"}}}'),
    ]);
    expect(await act({ action: 'offload', subject: 'blog', dryRun: false, ticket })).toMatchObject({ status: 412 });
  });

  test('makes a token that is told once, to whoever asked', async () => {
    const shown = await act({ action: 'invite', subject: '', dryRun: true });
    expect(cluster.writes).toEqual([]);
    const done = await act({ action: 'invite', subject: '', dryRun: false, ticket: shown.lines.at(-1).ticket });
    expect(done.lines[0].invitation.token).toMatch(/^headcut1\./);
  });

  test.each([
    [{ action: 'reboot', subject: 'b', dryRun: true }],
    [{ action: 'drain', subject: '../b', dryRun: true }],
    [{ action: 'drain', subject: 'b,metadata.name=c', dryRun: true }],
    [{ action: 'drain', subject: ['b'], dryRun: true }],
    [{ action: 'drain', subject: 'b' }],
    [{}],
  ])('refuses what is no action: %j', async (body) => {
    expect(await act(body)).toMatchObject({ status: 400 });
  });

  test('tells what went wrong at the end of an answer', async () => {
    const { lines } = await act({ action: 'offload', subject: 'nothing', dryRun: true });
    expect(lines.at(-1).error).toEqual({ code: 'NotFound', message: 'there is no namespace nothing in this cluster' });
  });

  test('follows the log of a pod, and lets it go with the page', async () => {
    const gone = new AbortController();
    const response = await fetch(`${served.url}log?namespace=shop&pod=db-0`, { signal: gone.signal });
    cluster.logs.write('one\n');
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('one\n');
    cluster.logs.write('two\n');
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('two\n');
    gone.abort();
    await expect(reader?.read()).rejects.toThrow();
  });

  test('says what would become of a member that dies', async () => {
    const answer = (await (await fetch(`${served.url}what-if?peer=bergen`)).json()) as { displaced: unknown[] };
    expect(answer.displaced.length).toBeGreaterThan(0);
    expect((await fetch(`${served.url}what-if?peer=nobody`)).status).toBe(404);
  });

  test('gives a page all there is, though its workloads are more than a socket takes at once', async () => {
    const web = cluster.find<KubeObject>('deployments', 'shop/web');
    for (let at = 0; at < 1_000; at += 1) {
      const name = `${'long-'.repeat(40)}${at}`;
      cluster.set('deployments', { ...web, metadata: { ...web.metadata, name, uid: name } });
    }
    const isLong = ({ workloads }: Record<string, Json>): boolean => JSON.stringify(workloads).length > 200_000;
    const all = ['federation', 'workloads', 'time', 'rights', 'pod'];
    await sections(all, 'live?pod=shop/gone', isLong);
    const again = await sections(all, 'live?pod=shop/gone', isLong);
    expect(again.pod).toBe(null);
  });

  test('keeps nothing of pages that are closed', async () => {
    const ofServer = getEventListeners(stop.signal, 'abort').length;
    const gone = new AbortController();
    await Promise.all(Array.from({ length: 20 }, () => fetch(`${served.url}live`, { signal: gone.signal })));
    const listeners = (): number => getEventListeners(stop.signal, 'abort').length;
    expect(listeners()).toBeGreaterThanOrEqual(ofServer + 19);
    gone.abort();
    // One more or less is that of a wait.
    await expect.poll(listeners).toBeLessThanOrEqual(ofServer + 1);
  });

  test('has room for so many pages', async () => {
    const gone = new AbortController();
    const open = await Promise.all(
      Array.from({ length: 33 }, () => fetch(`${served.url}live`, { signal: gone.signal })),
    );
    expect(open.map(({ status }) => status).filter((status) => status !== 200)).toEqual([429]);
    gone.abort();
  });
});

describe('somebody with rights in one namespace', () => {
  beforeEach(async () => {
    stop.abort();
    await served.ended;
    await start(({ namespace, verb }) => namespace === 'shop' && ['get', 'list', 'watch'].includes(verb));
  });

  test('sees that one, is told what is not seen, and may do nothing', async () => {
    const { federation, workloads, rights } = await sections(['federation', 'workloads', 'rights']);
    expect(federation.members).toEqual([]);
    expect(workloads.namespaces.map((one: { name: string }) => one.name)).toEqual(['shop']);
    expect(workloads.namespaces[0].offloaded).toBe(true);
    expect(rights.unseen).toEqual(expect.arrayContaining(['members', 'nodes', 'history', 'pods of other namespaces']));
    expect([rights.actions, rights.namespaces]).toEqual([[], { shop: [] }]);
  });

  test('is refused what the page would not offer', async () => {
    for (const body of [
      { action: 'forget', subject: 'bergen', dryRun: false, ticket: '' },
      { action: 'offload', subject: 'blog', dryRun: true },
    ]) {
      const { status, lines } = await act(body);
      expect([status, lines[0].message]).toEqual([403, expect.stringMatching(/your kubeconfig's user may not/)]);
    }
    expect(cluster.writes).toEqual([]);
  });
});
