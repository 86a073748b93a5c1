// The user interface while answers are late: nothing that somebody writes is lost, nothing is done twice, and an answer to what was asked before is not
// taken for one to what is asked now. Each test holds an answer back until it has done what a quick person does.

import type { Browser, Page, Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasBrowser, launch, signIn } from './browser.ts';
import { webFleet, type WebFleet } from './web-fleet.ts';

/** A few seconds on a quiet machine; this ends what hangs. */
const timeout = 120_000;
const patience = { timeout: 60_000 } as const;
const why = 'Why? Others will read it';

/** Holds back what goes to an address by a method, until it is let go; counts it. */
async function hold(page: Page, address: RegExp, method = 'GET') {
  const gate = Promise.withResolvers<void>();
  const held = {
    count: 0,
    /** How the first one of them goes on, when it does. */
    release: async (go: (route: Route) => Promise<void> = async (route) => await route.continue()): Promise<void> => {
      goOn = go;
      const [route] = routes;
      gate.resolve();
      await (await route?.request().response())?.finished();
    },
  };
  const routes: Route[] = [];
  let goOn = async (route: Route): Promise<void> => await route.continue();
  await page.route(address, async (route) => {
    if (route.request().method() !== method) return await route.fallback();
    held.count += 1;
    routes.push(route);
    await gate.promise;
    await goOn(route);
  });
  return held;
}

/** What has come is on the screen: a frame that began afterwards was painted. */
async function painted(page: Page): Promise<void> {
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
}

describe.skipIf(!hasBrowser())('the user interface while an answer is late', { timeout }, () => {
  let fleet: WebFleet;
  let browser: Browser;

  beforeAll(async () => {
    [fleet, browser] = await Promise.all([webFleet(1), launch()]);
    await fleet.push('one');
    await fleet.arrives('alpha', 1);
  }, timeout);
  // A page that nobody looks at any more follows all that happens for as long as it is open.
  afterEach(async () => await Promise.all(browser.contexts().map(async (one) => await one.close())));
  afterAll(async () => {
    await browser?.close();
    await fleet?.[Symbol.asyncDispose]();
  }, timeout);

  const at = async (path: string, token = fleet.control.admin): Promise<Page> => {
    const { page } = await signIn(browser, { url: fleet.control.url, token });
    await page.goto(fleet.control.url + path);
    return page;
  };

  test('sends a deed once, keeps it open until it is answered, and takes the focus from nobody who went on', async () => {
    const page = await at('/environments/alpha');
    const held = await hold(page, /\/v1\/locks$/, 'POST');
    await page.getByRole('button', { name: 'Lock alpha' }).click();
    const form = page.getByRole('form', { name: 'Lock alpha' });
    await form.getByLabel(why).fill('a slow answer');
    await page.keyboard.press('Enter');
    await form.getByText('asking …').waitFor();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    await form.getByRole('button', { name: 'Leave it' }).click({ force: true });
    await page.getByRole('button', { name: 'Lock alpha', exact: true }).first().click({ force: true });
    expect([held.count, await form.getByText('asking …').count()]).toEqual([1, 1]);
    await page.getByRole('button', { name: 'Pin', exact: true }).click();
    const other = page.getByRole('form', { name: 'Pin' }).getByLabel(why);
    await page.keyboard.type('mean');
    await held.release();
    await page.locator('.locks').getByText('a slow answer').waitFor();
    await page.keyboard.type('while');
    expect([await other.inputValue(), await form.count(), held.count]).toEqual(['meanwhile', 0, 1]);
  });

  test('leaves the keyboard where it was when a deed is refused', async () => {
    await fleet.control.post('/v1/locks', { scope: { kind: 'environment', id: 'prod-eu' }, reason: 'to be released' });
    const page = await at('/environments/prod-eu');
    const held = await hold(page, /\/v1\/locks\/[^/]+$/);
    const opener = page.getByRole('button', { name: 'Release' });
    await opener.press('Enter');
    const form = page.getByRole('form', { name: 'Release' });
    await form.waitFor();
    await page.keyboard.press('Enter');
    await form.getByText('asking …').waitFor();
    await held.release(async (route) => await route.fulfill({ status: 409, contentType: 'application/problem+json', body: JSON.stringify({ code: 'CONFLICT', detail: 'somebody was quicker' }) }));
    await form.getByText('somebody was quicker').waitFor();
    await page.keyboard.press('Escape');
    await form.waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Release');
  });

  test('shows what an edit would change beside that edit alone', async () => {
    const page = await at('/pipelines/storefront?edge=storefront/beta-to-prod-na');
    await page.getByRole('button', { name: 'Edit this promotion' }).click();
    const form = page.getByRole('form', { name: 'Edit this promotion' });
    const held = await hold(page, /\/plan$/, 'POST');
    await form.getByLabel('Soaks at its source for').fill('2h');
    await form.getByRole('button', { name: 'What would this change?' }).click();
    await form.getByText('asking …').waitFor();
    await form.getByLabel('Soaks at its source for').fill('3h');
    await held.release();
    await form.getByRole('button', { name: 'What would this change?' }).click();
    await form.getByText('This would').waitFor();
    expect([held.count, await form.getByText(`${3 * 3_600_000}`).count(), await form.getByText(`${2 * 3_600_000}`).count()]).toEqual([2, 1, 0]);
  });

  test('shows no request for approval where it will not stay', async () => {
    const quinn = await fleet.person('quinn', ['qa'], ['read:*', 'approve:*']);
    await expect.poll(async () => (await fleet.control.get('/v1/approvals?status=open&environment=beta')).body.items.length, patience).toBe(1);
    const page = await at('/calendar', quinn);
    const held = await hold(page, /\/v1\/approvals\?assignee=me/);
    const others = page.waitForResponse(/\/v1\/approvals\?status=open/);
    await page.getByRole('link', { name: /^Approvals/ }).click();
    await (await others).finished();
    await painted(page);
    const approve = page.getByRole('button', { name: 'Approve' });
    expect(await approve.count()).toBe(0);
    await held.release();
    await approve.click();
  });

  test('turns one page by two clicks on a page that has not come', async () => {
    await Promise.all(Array.from({ length: 60 }, async (_, index) => await fleet.person(`person-${index}`, [], ['read:*'])));
    const page = await at('/settings');
    const pager = page.getByRole('group', { name: 'pages of tokens' });
    await pager.getByText('1 to 25', { exact: true }).waitFor();
    const held = await hold(page, /\/v1\/tokens\?.*cursor=/);
    await pager.getByRole('button', { name: 'Next' }).dblclick();
    await held.release();
    await pager.getByText('26 to 50', { exact: true }).waitFor();
    await pager.getByRole('button', { name: 'Next' }).click();
    await pager.getByText(/^51 to /).waitFor();
  });

  test('shows every new token until somebody says that they have it', async () => {
    const page = await at('/settings');
    const label = 'New token for a person or a program';
    const form = page.getByRole('form', { name: label });
    const shown = page.getByText(/^sta_api_/);
    for (const [made, name] of ['ada', 'grace'].entries()) {
      await page.getByRole('button', { name: label }).click();
      await form.getByLabel('What is it called?').fill(name);
      await page.keyboard.press('Enter');
      await shown.nth(made).waitFor();
    }
    await page.getByRole('button', { name: 'I have it' }).first().click();
    await page.getByText('This is the token of grace.').waitFor({ state: 'detached' });
    await page.getByText('This is the token of ada.').waitFor();
    expect(await shown.count()).toBe(1);
  });

  test('goes where somebody was about to go, whatever is found meanwhile', async () => {
    await fleet.control.join('deadbeef-1', ['agent']);
    const page = await at('/calendar');
    const held = await hold(page, /\/v1\/targets\?name=/);
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Go to' }).fill('deadbeef');
    const chosen = page.getByRole('option', { selected: true });
    await chosen.getByText('the way of').waitFor();
    await held.release();
    await page.getByRole('option', { name: 'target deadbeef-1' }).waitFor();
    expect(await chosen.innerText()).toMatch(/^the way of\s+deadbeef$/);
  });

  test('signs nobody out by a late word on a token that they have given up', async () => {
    const page = await at('/environments/prod-eu');
    const held = await hold(page, /\/v1\/locks$/, 'POST');
    await page.getByRole('button', { name: 'Lock prod-eu' }).click();
    await page.getByLabel(why).fill('never said');
    await page.keyboard.press('Enter');
    await page.getByText('asking …').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Your token').fill(await fleet.person('robin', [], ['read:*']));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Environment prod-eu' }).waitFor();
    await held.release(async (route) => await route.fulfill({ status: 401, contentType: 'application/problem+json', body: JSON.stringify({ code: 'UNAUTHENTICATED', detail: 'the token was revoked' }) }));
    await painted(page);
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Environment prod-eu');
  });

  test('takes a stroke in the breath in which a screen is there', async () => {
    const page = await at('/targets');
    // As soon as there is a header; a frame later anybody would be in time.
    await page.addInitScript("new MutationObserver(() => { if (!globalThis.struck && document.querySelector('header') !== null) { globalThis.struck = true; document.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true })); } }).observe(document, { childList: true, subtree: true })");
    await page.reload();
    await page.getByRole('combobox', { name: 'Go to' }).waitFor();
  });

  test('leaves the focus to whoever writes in the breath in which a screen is there', async () => {
    const page = await at('/targets');
    await page.getByLabel('Name has').waitFor();
    await page.getByRole('link', { name: 'Calendar' }).click();
    await page.getByRole('heading', { name: 'Calendar' }).waitFor();
    await page.evaluate("new MutationObserver((_, all) => { const field = document.querySelector('form.filter input'); if (field !== null) { field.focus(); all.disconnect(); } }).observe(document, { childList: true, subtree: true })");
    await page.getByRole('link', { name: 'Targets' }).click();
    await page.getByLabel('Name has').waitFor();
    await painted(page);
    await page.keyboard.type('pare');
    expect(await page.getByLabel('Name has').inputValue()).toBe('pare');
  });

  test('asks once what a promotion would do, and shows no answer to whoever has closed it', async () => {
    const page = await at('/pipelines/storefront?edge=storefront/alpha-to-beta');
    const held = await hold(page, /\/v1\/promotions/, 'POST');
    const opener = page.getByRole('button', { name: 'What would a promotion do?' });
    await opener.click();
    await opener.click({ force: true });
    await held.release();
    await page.locator('.plan').waitFor();
    await opener.click();
    await painted(page);
    expect([held.count, await page.locator('.plan').count()]).toEqual([1, 0]);
  });

  test('gives the focus back to what opened a panel, and not to what opened the one before', async () => {
    const page = await at('/pipelines/storefront');
    const [first, second] = [page.getByRole('button', { name: /^promotion alpha to beta/ }), page.getByRole('button', { name: /^promotion beta to prod-na/ })];
    await first.click();
    await page.getByRole('region', { name: 'Promotion alpha to beta' }).waitFor();
    await second.click();
    const panel = page.getByRole('region', { name: 'Promotion beta to prod-na' });
    await panel.waitFor();
    // In the breath in which it is gone, not a frame later.
    await page.evaluate('new MutationObserver(() => { globalThis.after ??= document.querySelector("section.panel") === null ? document.activeElement.getAttribute("aria-label") ?? "nothing" : undefined; }).observe(document, { childList: true, subtree: true })');
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
    expect(await page.evaluate('globalThis.after')).toMatch(/^promotion beta to prod-na/);
  });
});
