import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser, openPage } from '../browser/console-in-browser.ts';
import { clusterFlags } from './headcut-command.ts';
import { apply, cutOff, deployment, evenDeployment, kubectl, podSpec, readyPods } from './lab.ts';

const COMMAND = join(import.meta.dirname, '../../src/bin/cli.ts');
const NAMESPACE = `e2e-console-${process.pid}`;
const REPLICAS = 6;

interface Opened {
  url: string;
  page: Page;
  problems: string[];
  command: ChildProcess;
}

/** `headcut console`, as users run it, and its page. */
async function openConsole(browser: Browser, cluster: string): Promise<Opened> {
  const command = spawn(process.execPath, [COMMAND, 'console', ...clusterFlags(cluster)]);
  const [first] = await once(command.stdout, 'data', { signal: AbortSignal.timeout(60_000) });
  const url = String(first).trim();
  return { url, command, ...(await openPage(browser, url)) };
}

describe('the console on the lab', () => {
  let browser: Browser;
  let a: Opened;
  let b: Opened;
  beforeAll(async () => {
    browser = await openBrowser();
    [a, b] = await Promise.all([openConsole(browser, 'a'), openConsole(browser, 'b')]);
  });
  afterAll(async () => {
    await browser.close();
    for (const { command } of [a, b]) command.kill('SIGINT');
    await kubectl('a', ['delete', 'namespace', NAMESPACE, '--wait=false', '--ignore-not-found']);
  });

  test('each member shows the others, with their state, round trip and path', async () => {
    for (const [opened, other] of [
      [a, 'b'],
      [b, 'a'],
    ] as const) {
      const member = opened.page.locator(`.map a.member.good[href="#/members/${other}"]`);
      await member.waitFor({ timeout: 30_000 });
      expect(await member.getAttribute('aria-label')).toMatch(/Connected, round trip [\d.]+ ms, path (UDP|TLS)/);
    }
  });

  test('a namespace is offloaded by clicks, and its pods appear where they run; their log goes on', async () => {
    await apply('a', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    const { page, url } = a;
    await page.goto(`${url}#/workloads`);
    await page.locator('li', { hasText: NAMESPACE }).getByRole('button', { name: 'Offload' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('would be offloaded').waitFor();
    await dialog.getByRole('button', { name: 'Offload' }).click();
    await dialog.getByText('is offloaded: its new pods').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    const says = { command: ['/bin/sh', '-c', 'n=0; while :; do echo "line $n"; n=$((n+1)); sleep 1; done'] };
    await apply(
      'a',
      evenDeployment(NAMESPACE, 'web', REPLICAS),
      deployment(NAMESPACE, 'talk', 1, { ...podSpec({ nodeName: 'headcut-b' }, says) }),
    );
    await readyPods('a', NAMESPACE, REPLICAS + 1);
    const region = page.getByRole('region', { name: NAMESPACE });
    await region.getByText(`${REPLICAS} of ${REPLICAS} ready`).waitFor({ timeout: 10_000 });
    await region.locator('tr', { hasText: 'web-' }).getByRole('link', { name: 'b', exact: true }).first().waitFor();
    await region.getByRole('link', { name: /^talk-/ }).click();
    await page.getByText(/runs on peer b since/).waitFor();
    await page.getByRole('log').getByText('line 1').first().waitFor({ timeout: 20_000 });
    const count = async () => (await page.getByRole('log').textContent())?.split('\n').length ?? 0;
    const before = await count();
    await expect.poll(count, { timeout: 10_000 }).toBeGreaterThan(before + 2);
  });

  test('a link that is cut is on the map within 4 s, and the failover in time with its seconds', async () => {
    const { page, url, problems } = a;
    await page.goto(url);
    await page.locator('.map a.member.good[href="#/members/b"]').waitFor();
    {
      await using _cut = await cutOff('b');
      const cutAt = Date.now();
      await page.locator('.map a.member.bad[href="#/members/b"]').waitFor({ timeout: 15_000 });
      const seconds = (Date.now() - cutAt) / 1000;
      console.log(`the map said so after ${seconds.toFixed(1)} s`);
      expect(seconds).toBeLessThan(4);
      await page.getByText(/peer b is unreachable/).waitFor();
      await page.goto(`${url}#/time`);
      await page
        .getByText(/b is out of contact/)
        .first()
        .waitFor({ timeout: 10_000 });
      await page.getByText(new RegExp(`pods? of ${NAMESPACE}/web on b replaced, Ready [\\d.]+ s after`)).waitFor({
        timeout: 40_000,
      });
    }
    await page
      .getByText(/b is back/)
      .first()
      .waitFor({ timeout: 40_000 });
    expect(problems).toEqual([]);
  });
});
