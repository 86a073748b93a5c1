// A browser for tests: the machine's Chromium, driven by playwright-core, which downloads nothing. Whoever lacks Chromium is told so in one
// line; in CI it must be there.

import { accessSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

const executablePath = '/usr/bin/chromium';
const quiet = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Whether there is a browser. @throws {Error} in CI when there is none. */
export function hasBrowser(): boolean {
  try {
    accessSync(executablePath);
    return true;
  } catch {
    const message = `${executablePath} is missing: the tests of the user interface are skipped; install the package chromium`;
    if (process.env['CI'] !== undefined) throw new Error(message);
    process.stderr.write(`${message}\n`);
    return false;
  }
}

export async function launch(): Promise<Browser> {
  const root = process.getuid?.() === 0;
  return await chromium.launch({ executablePath, args: [...quiet, ...(root ? ['--no-sandbox'] : [])] });
}

export interface SignedIn {
  readonly page: Page;
  /** Fills with what the browser did not like. */
  readonly complaints: readonly string[];
}

/** A page in a context of its own that somebody has signed in on. */
export async function signIn(browser: Browser, { url, token, width = 1280, ...options }: BrowserContextOptions & { readonly url: string; readonly token: string; readonly width?: number }): Promise<SignedIn> {
  const context = await browser.newContext({ viewport: { width, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => (['error', 'warning'].includes(message.type()) ? complaints.push(message.text()) : 0));
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(url);
  await page.getByLabel('Your token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Pipelines' }).waitFor();
  return { page, complaints };
}

/** One thing that somebody who cannot see, or cannot use a mouse, would stumble over. */
export interface Obstacle {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly string[];
}

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** What axe finds on a page, whose context must bypass the page's own policy to take it in; by all of its rules or by some. */
export async function obstacles(page: Page, only?: readonly string[]): Promise<readonly Obstacle[]> {
  await page.addScriptTag({ path: axePath });
  const options = JSON.stringify({ resultTypes: ['violations'], ...(only === undefined ? {} : { runOnly: only }) });
  return await page.evaluate<readonly Obstacle[]>(
    `axe.run(document, ${options}).then(({ violations }) => violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map((node) => node.html.slice(0, 200) + ' ' + (node.any[0]?.message ?? '')) })))`,
  );
}
