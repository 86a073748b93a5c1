// The user interface in a real browser over a real control plane: what it shows is what the API says, what is clicked is done there, and
// it can be used without a mouse and without eyes.

import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasBrowser, launch, obstacles } from './browser.ts';
import { webFleet, type WebFleet } from './web-fleet.ts';

const timeout = 60_000;
/** What is loaded before the first picture, compressed: interfaces.md, "Web UI". */
const firstLoadBytesMax = 90 * 1024;
const reason = '<img src=x onerror="document.title=1">the database moves';

describe.skipIf(!hasBrowser())('the user interface', { timeout }, () => {
  let fleet: WebFleet;
  let browser: Browser;
  const opened: BrowserContext[] = [];

  beforeAll(async () => {
    [fleet, browser] = await Promise.all([webFleet(), launch()]);
    await fleet.push('one');
    await fleet.arrives('alpha', 1);
    await fleet.control.post('/v1/locks', { scope: { kind: 'environment', id: 'prod-na' }, reason });
  }, timeout);
  afterAll(async () => {
    await Promise.all(opened.map(async (context) => await context.close()));
    await browser?.close();
    await fleet?.[Symbol.asyncDispose]();
  }, timeout);

  /** A page that somebody has signed in on; `complaints` fills with what the browser did not like. */
  async function signedIn(options: { readonly bypassCSP?: boolean; readonly colorScheme?: 'dark' | 'light'; readonly width?: number } = {}): Promise<{ readonly page: Page; readonly complaints: readonly string[] }> {
    const { width = 1280, ...rest } = options;
    const context = await browser.newContext({ viewport: { width, height: 900 }, ...rest });
    opened.push(context);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => (['error', 'warning'].includes(message.type()) ? complaints.push(message.text()) : 0));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(fleet.control.url);
    await page.getByLabel('Your token').fill(fleet.control.admin);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Pipelines' }).waitFor();
    return { page, complaints };
  }

  test('CDS-18 the pipeline screen shows a lock and a window, and a click on an arrow edits the promotion', async () => {
    const { page, complaints } = await signedIn();
    await page.getByRole('link', { name: 'storefront' }).click();
    const card = page.locator('.environment', { has: page.getByRole('button', { name: 'prod-na', exact: true }) });
    await expect.poll(async () => await card.innerText()).toContain(`Locked: ${reason}`);
    expect(await card.innerText()).toContain('Window closed: office-hours');

    const arrow = await page.evaluate<{ readonly x: number; readonly y: number }>(`(() => {
      const path = document.querySelector('[data-edge="storefront/alpha-to-beta"] .stroke');
      const { x, y } = path.getPointAtLength(6).matrixTransform(path.getScreenCTM());
      return { x, y };
    })()`);
    await page.mouse.click(arrow.x, arrow.y);
    const panel = page.getByRole('region', { name: 'Promotion alpha to beta' });
    await panel.getByText('web@1 waits. Why not now:').waitFor();
    await panel.getByRole('button', { name: 'Switch automation off' }).click();
    await panel.getByLabel('Why? Others will read it').fill('we look first');
    expect(await panel.getByText(/^starling /).innerText()).toBe("starling automation set off --edge storefront/alpha-to-beta --reason 'we look first'");
    await panel.getByRole('form').getByRole('button', { name: 'Switch automation off' }).click();
    await panel.getByText('automation of edge storefront/alpha-to-beta, by admin: we look first').waitFor();
    expect((await fleet.control.get('/v1/automation/edge/storefront%2Falpha-to-beta')).body).toMatchObject({ on: false, by: 'admin', reason: 'we look first' });
    await panel.getByRole('button', { name: 'Switch automation on' }).click();
    await panel.getByRole('form').getByRole('button', { name: 'Switch automation on' }).click();
    await expect.poll(async () => (await fleet.control.get('/v1/automation/edge/storefront%2Falpha-to-beta')).body.on).toBe(true);
    expect({ complaints, title: await page.title() }).toEqual({ complaints: [], title: 'Starling' });
  });

  test('follows what happens without being asked, and says when it no longer can', async () => {
    const { page } = await signedIn();
    await page.goto(`${fleet.control.url}/pipelines/storefront`);
    await page.getByText('live', { exact: true }).waitFor();
    const { body } = await fleet.control.post('/v1/locks', { scope: { kind: 'environment', id: 'beta' }, reason: 'somebody looks at it' });
    await page.getByText('Locked: somebody looks at it').waitFor();
    await fleet.control.post(`/v1/locks/${body.lock}/break`, { reason: 'seen' });
    await page.getByText('Locked: somebody looks at it').waitFor({ state: 'detached' });
    await fleet.control.stop();
    await page.getByText(/reconnecting|stale since/).waitFor();
    await fleet.control.start();
    await page.getByText('live', { exact: true }).waitFor();
  });

  test('loads little before the first picture, and no address carries the token', async () => {
    const { page } = await signedIn();
    const sizes = await page.evaluate<readonly { readonly name: string; readonly bytes: number }[]>(`performance.getEntriesByType('resource').map(({ name, encodedBodySize }) => ({ name, bytes: encodedBodySize }))`);
    const scripts = sizes.filter(({ name }) => name.endsWith('.js'));
    expect(scripts.length).toBeGreaterThan(0);
    expect(scripts.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(firstLoadBytesMax);
    expect(sizes.map(({ name }) => new URL(name).origin).filter((origin) => origin !== fleet.control.url)).toEqual([]);
    expect(sizes.filter(({ name }) => name.includes('sta_'))).toEqual([]);
  });

  test.each(['light', 'dark'] as const)('has no obstacles, %s, on any screen', async (colorScheme) => {
    const { page } = await signedIn({ bypassCSP: true, colorScheme });
    const found: unknown[] = [];
    for (const [path, text] of [['/', 'storefront'], ['/pipelines/storefront', 'alpha'], ['/pipelines/storefront?edge=storefront/beta-to-prod-na', 'Windows of prod-na'], ['/pipelines/storefront?environment=prod-na', 'Why it is where it is']] as const) {
      await page.goto(fleet.control.url + path);
      await page.getByText(text).first().waitFor();
      await page.getByText('live', { exact: true }).waitFor();
      found.push(...(await obstacles(page)).map((one) => ({ path, ...one })));
    }
    expect(found).toEqual([]);
  });
});
