/**
 * Makes the pictures of the console in docs/console, over recorded data.
 *
 *     npm run screenshots [-- FOLDER]
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { FakeCluster } from '../console/fake-cluster.ts';
import { recordedFederation } from '../console/recorded-federation.ts';
import { openBrowser, openPage, serve } from './console-in-browser.ts';

interface Picture {
  name: string;
  members: number;
  /** Behind `#/`. */
  at: string;
  dark?: boolean;
  /** Also what is below the window. */
  whole?: boolean;
  /** What is done before the picture is taken. */
  act?(page: Page): Promise<void>;
}

async function openInvitation(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.getByRole('button', { name: 'Make the token' }).click();
  await page.getByRole('img', { name: 'The token as a QR code' }).waitFor();
}

async function askWhatIf(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'What if it dies?' }).click();
  await page.getByRole('heading', { name: /^If / }).waitFor();
}

const PICTURES: Picture[] = [
  { name: 'members', members: 7, at: 'members/bergen' },
  { name: 'what-if', members: 7, at: 'members/malmo', dark: true, whole: true, act: askWhatIf },
  { name: 'fifty', members: 50, at: '', dark: true, whole: true },
  { name: 'table', members: 7, at: '', act: (page) => page.getByRole('button', { name: 'Table' }).click() },
  { name: 'workloads', members: 7, at: 'workloads' },
  { name: 'pod', members: 7, at: 'pods/shop/web-5c44c9d89b-aa1' },
  { name: 'time', members: 7, at: 'time' },
  { name: 'invite', members: 7, at: '', act: openInvitation },
];

const LOG = [
  'listening on :8080',
  'GET /cart 200 3 ms',
  'GET /cart 200 2 ms',
  'POST /order 201 14 ms',
  'GET / 200 1 ms',
];

async function take(browser: Browser, folder: string, picture: Picture): Promise<void> {
  const { name, members, at, dark = false, whole = false, act } = picture;
  const cluster = new FakeCluster(recordedFederation({ members, now: Date.now() }).objects);
  await using served = await serve(cluster.client);
  const { page } = await openPage(browser, `${served.url}#/${at}`, {
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  cluster.logs.write(`${LOG.join('\n')}\n`);
  await page.locator('main h2').first().waitFor();
  await act?.(page);
  await page.waitForTimeout(1_000);
  const path = join(folder, `${name}.png`);
  await page.screenshot({ path, fullPage: whole });
  await page.context().close();
  console.log(path);
}

const folder = process.argv[2] ?? join(import.meta.dirname, '../../docs/console');
await mkdir(folder, { recursive: true });
const browser = await openBrowser();
const only = process.argv.slice(3);
for (const picture of PICTURES.filter(({ name }) => only.length === 0 || only.includes(name)))
  await take(browser, folder, picture);
await browser.close();
