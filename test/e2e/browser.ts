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

/** Sets the size of letters that somebody prefers, in CSS pixels, as the browser's own settings do; the usual one is 16. */
export async function lettersOf(page: Page): Promise<(size: number) => Promise<void>> {
  const settings = await page.context().newCDPSession(page);
  return async (size) => {
    await settings.send('Page.setFontSizes', { fontSizes: { standard: size, fixed: size } });
  };
}

/** Texts of which a part is beyond the edge of a box that hides it, and that nobody can scroll to. */
export async function cutTexts(page: Page): Promise<readonly string[]> {
  return await page.evaluate<readonly string[]>(`(() => {
    const isCut = (text) => {
      const range = document.createRange();
      range.selectNodeContents(text);
      const lines = [...range.getClientRects()].filter(({ width, height }) => width > 0 && height > 0);
      for (let box = text.parentElement; box !== document.body && box !== null; box = box.parentElement) {
        const { overflowX, overflowY } = getComputedStyle(box);
        if (/auto|scroll/.test(overflowX + overflowY)) return false;
        if (overflowX === 'visible' && overflowY === 'visible') continue;
        const { left, right, top, bottom } = box.getBoundingClientRect();
        // Lines are a little higher than their letters.
        if (lines.some((line) => line.left < left - 1 || line.right > right + 1 || line.top < top - line.height / 4 || line.bottom > bottom + line.height / 4)) return true;
      }
      return false;
    };
    const cut = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text !== null; text = texts.nextNode()) {
      if (text.data.trim() !== '' && text.parentElement.closest('.unseen, .skip, option') === null && isCut(text)) cut.push(text.data.trim());
    }
    return cut;
  })()`);
}
