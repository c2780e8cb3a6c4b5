import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { bundlePage } from '../../scripts/bundle.ts';
import { type Console, startConsole } from '../../src/console/console-server.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Debian's. */
export const CHROMIUM = '/usr/bin/chromium';

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}

/** The console over a cluster, until it is let go. */
export async function serve(client: KubeClient, namespace = 'default'): Promise<Console & AsyncDisposable> {
  const pageFolder = await mkdtemp(join(tmpdir(), 'headcut-console-'));
  await bundlePage(pageFolder, { root: ROOT });
  const stop = new AbortController();
  const served = await startConsole({
    ...{ client, namespace, pageFolder, port: 0, version: '0.1.0', randomBytes },
    ...{ clock: systemClock, logger: silentLogger, signal: stop.signal },
  });
  return {
    ...served,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await served.ended;
      await rm(pageFolder, { recursive: true });
    },
  };
}

/** A page of the console; what goes wrong in it, requests to elsewhere included, is in `problems`. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; problems: string[] }> {
  const context = await browser.newContext({ viewport: { width: 1320, height: 860 }, locale: 'en-GB', ...options });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('request', (request) => {
    if (!request.url().startsWith(new URL(url).origin)) problems.push(`a request to ${request.url()}`);
  });
  await page.goto(url);
  return { page, problems };
}
