import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PeerObject } from '../../src/core/membership/peer-object.ts';
import { FakeCluster } from '../console/fake-cluster.ts';
import { recordedFederation } from '../console/recorded-federation.ts';
import { openBrowser, openPage, serve } from './console-in-browser.ts';

/** The page in a real browser, over recorded data. */

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds, as rule and place. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: { id: string; nodes: { target: string[] }[] }[] }> };
    };
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const found = await axe.run({ runOnly: { type: 'tag', values: tags } });
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
  });
}

const recorded = (members: number, names?: string[]): FakeCluster =>
  new FakeCluster(recordedFederation({ members, now: Date.now(), ...(names === undefined ? {} : { names }) }).objects);

const PAGES = ['', '#/members/bergen', '#/workloads', '#/pods/shop/api-77d9f8c6b4-fq5', '#/time', '#/check'];

describe('the page', () => {
  test.each(['light', 'dark'] as const)('is accessible on all its pages, %s', async (colorScheme) => {
    await using served = await serve(recorded(5).client);
    const { page, problems } = await openPage(browser, served.url, { colorScheme, reducedMotion: 'reduce' });
    for (const hash of PAGES) {
      await page.goto(served.url + hash);
      await page.locator('main h2').first().waitFor();
      expect(await violations(page), hash).toEqual([]);
    }
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('shows fifty members on a map and in a table, and computes nothing while nothing changes', async () => {
    const cluster = recorded(50);
    await using served = await serve(cluster.client);
    const { page, problems } = await openPage(browser, served.url);
    const members = page.locator('.map a.member');
    await expect.poll(() => members.count(), { timeout: 10_000 }).toBe(50);
    const boxes = await page
      .locator('.map .member .body')
      .evaluateAll((circles) =>
        circles.map((circle) => circle.getBoundingClientRect()).map(({ x, y, width }) => ({ x, y, width })),
      );
    for (const [at, one] of boxes.entries())
      for (const other of boxes.slice(at + 1))
        expect(Math.hypot(one.x - other.x, one.y - other.y)).toBeGreaterThan(one.width);
    expect(await violations(page)).toEqual([]);
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable');
    const scriptMs = async (): Promise<number> => {
      const { metrics } = await session.send('Performance.getMetrics');
      return (metrics.find(({ name }) => name === 'ScriptDuration')?.value ?? 0) * 1000;
    };
    const before = await scriptMs();
    await page.waitForTimeout(3_000);
    // Some ages move on once a second; 16 ms for each frame would be 2,900 ms here.
    expect((await scriptMs()) - before).toBeLessThan(150);
    const places = await members.evaluateAll((all) => all.map((one) => (one as SVGElement).style.transform));
    const peer = cluster.find<PeerObject>('peers', 'bergen');
    cluster.set('peers', { ...peer, status: { ...peer.status, state: 'Unreachable' } });
    await page.locator('.map a.member.bad', { hasText: 'bergen' }).waitFor({ timeout: 4_000 });
    expect(await members.evaluateAll((all) => all.map((one) => (one as SVGElement).style.transform))).toEqual(places);
    await page.getByRole('button', { name: 'Table' }).click();
    await expect.poll(() => page.locator('tbody tr').count()).toBe(50);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('shows what others wrote as text, whatever it is', async () => {
    const cluster = recorded(3);
    const evil = '<img src=x onerror="document.title=`owned`">';
    const peer = cluster.find<PeerObject>('peers', 'bergen');
    cluster.remove('peers', 'bergen');
    cluster.set('peers', {
      ...peer,
      metadata: { ...peer.metadata, name: evil },
      status: {
        ...{ state: 'Unreachable', version: evil },
        conditions: [{ type: 'Connected', status: 'False', message: evil }],
      },
    });
    await using served = await serve(cluster.client);
    const { page, problems } = await openPage(browser, served.url);
    await page.getByText(`peer ${evil} is unreachable`, { exact: false }).first().waitFor();
    await page.goto(`${served.url}#/members/${encodeURIComponent(evil)}`);
    await page.getByRole('heading', { name: evil }).waitFor();
    expect(await page.locator('main img').count()).toBe(0);
    expect(await page.title()).not.toContain('owned');
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('is used with the keyboard alone: members by arrows, a dialog that gives the focus back', async () => {
    await using served = await serve(recorded(5).client);
    const { page } = await openPage(browser, served.url);
    await page.locator('.map a.member').first().waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('To the content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
    await page.locator('.map a.member').first().focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'bergen' }).waitFor();
    await page.getByRole('button', { name: 'Drain' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Drain bergen' }).getByText('pods would be moved').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.locator('dialog').count()).toBe(0);
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Drain');
    await page.context().close();
  });

  test('offloads a namespace by clicks, after it was shown what that would do, and says so at once', async () => {
    const cluster = recorded(3);
    await using served = await serve(cluster.client);
    const { page } = await openPage(browser, `${served.url}#/workloads`);
    await page.locator('li', { hasText: 'blog' }).getByRole('button', { name: 'Offload' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Namespace blog would be offloaded').waitFor();
    expect(cluster.writes).toEqual([]);
    await dialog.getByRole('button', { name: 'Offload' }).click();
    await dialog.getByText('Namespace blog is offloaded').waitFor();
    expect(cluster.writes).toHaveLength(1);
    await dialog.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('region', { name: 'blog' }).getByText('Offloaded by its label').waitFor();
    await page.context().close();
  });

  test('makes an invitation with a QR code of the token', async () => {
    await using served = await serve(recorded(3).client);
    const { page } = await openPage(browser, served.url);
    await page.getByRole('button', { name: 'Invite' }).click();
    await page.getByRole('button', { name: 'Make the token' }).click();
    await page.getByRole('img', { name: 'The token as a QR code' }).waitFor();
    expect(await page.getByLabel('Token', { exact: true }).inputValue()).toMatch(/^headcut1\./);
    expect(await violations(page)).toEqual([]);
    await page.context().close();
  });

  test('shows somebody with rights in one namespace that one, and offers nothing else', async () => {
    const cluster = recorded(5);
    cluster.mayDo = ({ namespace, verb }) => namespace === 'shop' && ['get', 'list', 'watch'].includes(verb);
    await using served = await serve(cluster.client, 'shop');
    const { page, problems } = await openPage(browser, served.url);
    await page.getByText('Your user may not see the members').waitFor();
    await page.goto(`${served.url}#/workloads`);
    await page.getByRole('region', { name: 'shop' }).waitFor();
    expect(await page.locator('section.card').count()).toBe(1);
    for (const name of ['Invite', 'Offload', 'Bring home', 'Rebalance'])
      expect(await page.getByRole('button', { name }).count(), name).toBe(0);
    await page.getByRole('link', { name: 'db-0' }).click();
    cluster.logs.write('first line\n');
    await page.getByRole('log').getByText('first line').waitFor();
    cluster.logs.write('another one\n');
    await page.getByRole('log').getByText('another one').waitFor();
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('says when the command has ended', async () => {
    const served = await serve(recorded(2).client);
    const { page } = await openPage(browser, served.url);
    await page.getByRole('status').getByText('Live').waitFor();
    await served[Symbol.asyncDispose]();
    await page.getByRole('status').getByText('The command has ended').waitFor();
    await page.context().close();
  });
});
