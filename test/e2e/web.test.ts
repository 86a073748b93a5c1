// The user interface in a real browser over a real control plane: what it shows is what the API says, what is clicked is done there, and
// it can be used without a mouse and without eyes.

import { join } from 'node:path';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../control/cli/world.ts';
import { cutTexts, hasBrowser, launch, lettersOf, obstacles, signIn, type SignedIn } from './browser.ts';
import { webFleet, type WebFleet } from './web-fleet.ts';
import { hostileTexts } from './web-payloads.ts';

/** A quarter of a minute on a quiet machine, all together; this ends what hangs. */
const timeout = 120_000;
/** What the control plane is asked about again and again gives up before the test does. */
const patience = { timeout: 60_000 } as const;
/** What is loaded before the first picture, compressed: interfaces.md, "Web UI". */
const firstLoadBytesMax = 90 * 1024;
const reason = '<img src=x onerror="document.title=1">the database moves';

describe.skipIf(!hasBrowser())('the user interface', { timeout }, () => {
  let fleet: WebFleet;
  let browser: Browser;
  let quinn: string;

  beforeAll(async () => {
    [fleet, browser] = await Promise.all([webFleet(), launch()]);
    quinn = await fleet.person('quinn', ['qa'], ['read:*', 'approve:*']);
    await fleet.push('one');
    await fleet.arrives('alpha', 1);
    await fleet.control.post('/v1/locks', { scope: { kind: 'environment', id: 'prod-na' }, reason });
  }, timeout);
  // A page that nobody looks at any more follows all that happens for as long as it is open.
  afterEach(async () => await Promise.all(browser.contexts().map(async (one) => await one.close())));
  afterAll(async () => {
    await browser?.close();
    await fleet?.[Symbol.asyncDispose]();
  }, timeout);

  async function signedIn(options: BrowserContextOptions & { readonly token?: string; readonly width?: number } = {}): Promise<SignedIn> {
    return await signIn(browser, { url: fleet.control.url, token: fleet.control.admin, ...options });
  }

  test('CDS-18 the pipeline screen shows a lock and a window, and a click on an arrow edits the promotion', async () => {
    const { page, complaints } = await signedIn();
    await page.getByRole('link', { name: 'storefront' }).click();
    const card = page.locator('.environment', { has: page.getByRole('button', { name: 'prod-na', exact: true }) });
    await card.getByText(`Locked: ${reason}`).waitFor();
    await card.getByText('Window closed: office-hours').waitFor();
    await page.getByRole('button', { name: 'prod-na', exact: true }).click();
    const place = page.getByRole('region', { name: 'prod-na' });
    await place.getByText('It does not open within 400 days.').waitFor();
    await place.getByRole('button', { name: 'Close' }).click();

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
    await panel.getByRole('form').getByRole('button', { name: 'Switch automation off', exact: true }).click();
    await panel.getByText('automation of edge storefront/alpha-to-beta, by admin: we look first').waitFor();
    expect((await fleet.control.get('/v1/automation/edge/storefront%2Falpha-to-beta')).body).toMatchObject({ on: false, by: 'admin', reason: 'we look first' });
    await panel.getByRole('button', { name: 'Switch automation on' }).click();
    await panel.getByRole('form').getByRole('button', { name: 'Switch automation on', exact: true }).click();
    await expect.poll(async () => (await fleet.control.get('/v1/automation/edge/storefront%2Falpha-to-beta')).body.on, patience).toBe(true);
    expect({ complaints, title: await page.title() }).toEqual({ complaints: [], title: expect.stringMatching(/^storefront: .* · Starling$/) });
  });

  test('edits how a promotion is configured: says first what that changes, then applies it', async () => {
    const { page, complaints } = await signedIn();
    await page.goto(`${fleet.control.url}/pipelines/storefront`);
    await page.getByRole('button', { name: /^promotion beta to prod-na/ }).click();
    const panel = page.getByRole('region', { name: 'Promotion beta to prod-na' });
    await panel.getByRole('button', { name: 'Edit this promotion' }).click();
    await panel.getByLabel('Soaks at its source for').fill('a while');
    await panel.getByRole('button', { name: 'What would this change?' }).click();
    await panel.getByText("'a while' is not a duration").waitFor();
    await panel.getByLabel('Soaks at its source for').fill('2h');
    await panel.getByRole('checkbox', { name: 'new-year' }).check();
    await panel.getByRole('button', { name: 'What would this change?' }).click();
    await panel.getByText('This would').waitFor();
    await panel.getByRole('button', { name: 'Apply' }).click();
    await expect.poll(async () => (await fleet.control.get('/v1/pipelines/storefront/promotion-configs/beta-to-prod-na')).body, patience).toMatchObject({ soakMs: 7_200_000, windows: ['new-year'] });
    await panel.getByText('2 h', { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  test('shows who is asked exactly what, refuses in the words of the API, and approves', async () => {
    const { page, complaints } = await signedIn({ token: quinn });
    await page.getByRole('link', { name: /^Approvals/ }).click();
    const request = page.getByRole('listitem').filter({ hasText: 'web@1 may go to beta' });
    await request.getByText('say one').waitFor();
    await request.getByRole('button', { name: 'Approve' }).click();
    await request.getByLabel('What should others know?').fill('looks fine');
    await request.getByRole('form').getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByText('Nothing waits for you.').waitFor();
    // It leaves the inbox with the vote, and is settled by the next decision.
    await expect.poll(async () => (await fleet.control.get('/v1/approvals?environment=beta')).body.items, patience).toMatchObject([{ status: 'approved', votes: [{ by: 'quinn', comment: 'looks fine' }] }]);
    await page.goto(`${fleet.control.url}/pipelines/storefront?environment=beta`);
    const panel = page.getByRole('region', { name: 'beta' });
    await panel.getByRole('button', { name: 'Lock beta' }).click();
    await panel.getByLabel('Why? Others will read it').fill('try');
    await panel.getByRole('form').getByRole('button', { name: 'Lock beta', exact: true }).click();
    await panel.getByText(/this needs a token with scope 'promote:env\/beta'/).waitFor();
    // The one complaint is the browser's own line on the answer 403.
    expect(complaints).toEqual([expect.stringContaining('403')]);
  });

  test('shows a deployment by batch and target, pauses it and lets it go on, without a mouse', async () => {
    await fleet.worked('beta');
    const { page, complaints } = await signedIn();
    const { body } = await fleet.control.get('/v1/deployments?environment=beta');
    const id = String(body.items[0].deployment);
    await page.goto(`${fleet.control.url}/deployments/${id}`);
    await page.getByText('1. one-box (canary)').waitFor();
    await page.getByText('beta-1: committed').waitFor({ state: 'attached' });
    await page.getByRole('button', { name: 'Pause', exact: true }).focus();
    // The form takes the focus when it is there.
    const field = page.locator('form input:focus');
    await page.keyboard.press('Enter');
    await field.waitFor();
    await page.keyboard.type('wait for Ada');
    await page.keyboard.press('Enter');
    // In the words of the page: the command in the form has them before anything is asked.
    await page.locator('p.notice').getByText('wait for Ada').waitFor();
    expect((await fleet.control.get(`/v1/deployments/${id}`)).body.paused).toMatchObject({ byHand: true });
    await page.getByRole('button', { name: 'Resume' }).focus();
    await page.keyboard.press('Enter');
    await field.waitFor();
    await page.keyboard.press('Escape');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Resume');
    await page.keyboard.press('Enter');
    await field.waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
    expect((await fleet.control.get(`/v1/deployments/${id}`)).body.paused).toBeUndefined();
    expect(complaints).toEqual([]);
  });

  test('finds a machine among many, page by page and by name, says why it runs what it runs, and bars it only when its name is written', async () => {
    await fleet.spares(45);
    const { page, complaints } = await signedIn();
    await page.getByRole('link', { name: 'Targets' }).click();
    await page.getByText('1 to 50', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('51 to 57', { exact: true }).waitFor();
    await page.getByRole('rowheader', { name: 'spare-45' }).waitFor();
    await page.getByLabel('Name has').fill('pare-3');
    await page.keyboard.press('Enter');
    await page.getByRole('rowheader', { name: 'spare-30' }).waitFor();
    expect([new URL(page.url()).search, await page.getByRole('rowheader').count()]).toEqual(['?name=pare-3', 10]);
    await page.goto(`${fleet.control.url}/targets?environment=alpha&connectivity=online`);
    await page.getByRole('link', { name: 'alpha-2' }).click();
    await page.getByText('it runs web@1, as alpha wants').waitFor();
    await page.getByRole('row', { name: /alpha-1.*committed/ }).waitFor();
    await page.goto(`${fleet.control.url}/targets/spare-07`);
    await page.getByRole('button', { name: 'Change its labels' }).click();
    await page.getByLabel('key=value to set, key- to take away').fill('rack=r7 kind-');
    await page.keyboard.press('Enter');
    await page.getByText('rack=r7', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Cordon it' }).click();
    await page.getByLabel('Why? Others will read it').fill('its disk is slow');
    await page.keyboard.press('Enter');
    await page.locator('p.notice').getByText('its disk is slow').waitFor();
    await page.getByRole('button', { name: 'Revoke spare-07' }).click();
    const form = page.getByRole('form');
    await form.getByLabel('Why? Others will read it').fill('sold');
    await form.getByLabel('Its name, to be sure').fill('spare-08');
    await form.getByRole('button', { name: 'Revoke spare-07', exact: true }).click();
    expect((await fleet.control.get('/v1/targets/spare-07')).body.revoked).toBe(false);
    await form.getByLabel('Its name, to be sure').fill('spare-07');
    await form.getByRole('button', { name: 'Revoke spare-07', exact: true }).click();
    await page.getByText('revoked', { exact: true }).waitFor();
    expect([complaints, await page.getByRole('heading', { level: 1 }).innerText()]).toEqual([[], 'spare-07']);
  });

  test('shows from where the bytes of a deployment came, how that compares to the least that there can be, and who fed whom', async () => {
    const { page, complaints } = await signedIn();
    await page.goto(`${fleet.control.url}/swarm?revision=web@1&environment=alpha`);
    await page.getByText('3 of 3 targets hold every chunk').waitFor();
    await page.getByRole('link', { name: 'web@1 to alpha' }).click();
    await page.getByText('1.00 copies of 4.0 MB left the origin; one is the least').waitFor();
    await page.getByRole('row', { name: /^alpha-2 .*alpha-1 4.0 MB/ }).waitFor();
    expect([await page.getByRole('list', { name: 'bytes by where they came from' }).innerText(), complaints]).toEqual([expect.stringMatching(/8\.0 MB from peers 53\.3 %\s+4\.0 MB from origin/), []]);
  });

  test('CDS-15 CDS-16 tells who did what and that nobody rewrote it, how far each change is, and the way of one of them to a machine', async () => {
    const { page, complaints } = await signedIn();
    const held = Promise.withResolvers<void>();
    await page.route(/\/v1\/audit/, async (route) => (await held.promise, await route.continue()));
    await page.getByRole('link', { name: 'Audit' }).click();
    await page.getByLabel('What').fill('lock.acquired');
    // The first answer comes while somebody writes.
    held.resolve();
    await page.getByRole('row').nth(1).waitFor();
    expect(await page.getByLabel('What').inputValue()).toBe('lock.acquired');
    await page.keyboard.press('Enter');
    const entry = page.getByRole('row').filter({ hasText: 'the database moves' });
    await entry.getByText(/^starling lock release /).waitFor();
    await page.getByRole('button', { name: 'Verify the journal' }).click();
    await page.getByText('as it was written', { exact: true }).waitFor();
    const [copy] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download a copy' }).click()]);
    const file = join(fleet.control.dataDir, 'copy.jsonl');
    await copy.saveAs(file);
    expect(await run(['audit', 'verify', file], {})).toMatchObject({ code: 0, out: expect.stringContaining('each as it was written and in its place') });
    await page.getByRole('link', { name: 'Changes' }).click();
    await page.getByRole('link', { name: 'say one' }).click();
    const alpha = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: /^alpha there/ }) });
    await alpha.getByText('3 of 3 machines have it').click();
    await alpha.getByRole('link', { name: 'alpha-3' }).click();
    await page.getByText('it runs web@1, as alpha wants').waitFor();
    expect(complaints).toEqual([]);
  });

  test('CDS-7 shows the next fortnight: what is open, what is locked and until when', async () => {
    const { page, complaints } = await signedIn();
    await page.getByRole('link', { name: 'Calendar' }).click();
    const place = (name: string) => page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: new RegExp(`^${name} `) }) });
    await place('prod-na').getByText(/^locked now without an end: .*the database moves/).waitFor();
    await place('prod-na').getByText(/^Its windows \(office-hours.*\) are not open within this fortnight\.$/).waitFor();
    await place('alpha').getByText('No window holds it: anything may start at any time.').waitFor();
    expect(complaints).toEqual([]);
  });

  test('goes anywhere by a few letters, without a mouse', async () => {
    const { page, complaints } = await signedIn();
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Go to' }).fill('alpha-2');
    await page.getByRole('option', { name: 'target alpha-2', selected: true }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('it runs web@1, as alpha wants').waitFor();
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Go to' }).fill('web@1');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'The way of web@1' }).waitFor();
    const opener = page.getByRole('button', { name: 'Go to' });
    await opener.press('Enter');
    await page.getByRole('combobox', { name: 'Go to' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect([complaints, await page.evaluate<boolean>('document.activeElement.textContent.startsWith("Go to")')]).toEqual([[], true]);
  });

  test('makes a token, shows it once, and makes it worthless when it is named', async () => {
    const { page, complaints } = await signedIn();
    await page.goto(`${fleet.control.url}/settings`);
    await page.getByRole('button', { name: 'New token for a person or a program' }).click();
    await page.getByLabel('What is it called?').fill('robin');
    await page.getByLabel('For how many days?').fill('a few');
    await page.getByRole('form').getByRole('button', { name: 'New token for a person or a program', exact: true }).click();
    await page.getByText("'a few' is not a number of days").waitFor();
    await page.getByLabel('For how many days?').fill('2');
    await page.getByRole('form').getByRole('button', { name: 'New token for a person or a program', exact: true }).click();
    const token = await page.getByText(/^sta_api_/).innerText();
    expect((await fleet.control.get('/v1/status', { token })).status).toBe(200);
    await page.getByRole('button', { name: 'I have it' }).click();
    const row = page.getByRole('row', { name: /^robin / });
    await row.getByRole('button', { name: 'Revoke robin', exact: true }).click();
    await row.getByLabel('Its name, to be sure').fill('robin');
    await page.keyboard.press('Enter');
    await row.getByText('revoked', { exact: true }).waitFor();
    expect([(await fleet.control.get('/v1/status', { token })).status, await page.getByText(token).count(), complaints]).toEqual([401, 0, []]);
  });

  /** Wider than the screen, and to be scrolled to the side. */
  const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';

  test('fits a narrow screen', async () => {
    const { page } = await signedIn({ width: 400 });
    for (const path of ['/', '/pipelines/storefront', '/pipelines/storefront?edge=storefront/beta-to-prod-na', '/approvals', '/deployments/alpha-1', '/targets', '/targets/alpha-1', '/swarm?revision=web@1', '/deployments/alpha-1/receipt', '/audit?actor=system', '/calendar', '/changes', '/settings', '/trace?of=web@1']) {
      await page.goto(fleet.control.url + path);
      await page.getByText('live', { exact: true }).waitFor();
      await page.getByText(/alpha|Nothing waits|development keys/).first().waitFor();
      expect([path, await page.evaluate(overflow)]).toEqual([path, 0]);
    }
  });

  test('with letters of twice the size nothing is cut that was whole, and no screen is to be scrolled to the side', async () => {
    const { page } = await signedIn();
    const letters = await lettersOf(page);
    for (const [path, text] of [['/pipelines/storefront', 'prod-na'], ...Object.values(screens).flat()]) {
      await page.goto(fleet.control.url + path);
      await page.getByText(text).first().waitFor();
      await page.getByText('live', { exact: true }).waitFor();
      await letters(32);
      const cut = await cutTexts(page);
      const shape = { letters: await page.evaluate('getComputedStyle(document.body).fontSize'), overflow: await page.evaluate(overflow) };
      // What came meanwhile counts here only.
      await letters(16);
      const before = await cutTexts(page);
      expect({ path, ...shape, cut: cut.filter((one) => !before.includes(one)) }).toEqual({ path, letters: '32px', overflow: 0, cut: [] });
    }
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
    // What an update has taken away is said, and not a screen that never comes.
    await page.route('**/assets/part-*', async (part) => await part.abort());
    await page.getByRole('link', { name: 'Audit' }).click();
    await page.getByText('This screen could not be loaded').waitFor();
    await page.unroute('**/assets/part-*');
    await page.getByRole('button', { name: 'Load the page again' }).click();
    await page.getByRole('heading', { name: 'Audit' }).waitFor();
    // A page of a proxy in between is not taken for an answer, and what comes after it is.
    await page.route('**/v1/audit?*', async (asked) => await asked.fulfill({ status: 200, contentType: 'text/html', body: '<p>sign in' }));
    await page.getByRole('button', { name: 'Look again' }).click();
    await page.getByText('a proxy in between may be at fault').waitFor();
    await page.unroute('**/v1/audit?*');
    await page.getByRole('button', { name: 'Look again' }).click();
    await page.getByText('a proxy in between may be at fault').waitFor({ state: 'detached' });
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

  /** What stands on each screen once it is there. */
  const screens = {
    'of pipelines': [['/', 'storefront'], ['/pipelines/storefront?edge=storefront/beta-to-prod-na', 'Windows of prod-na'], ['/pipelines/storefront?environment=prod-na', 'Why it is where it is'], ['/approvals', 'Approvals'], ['/environments/alpha', 'What came here'], ['/deployments/alpha-1', 'Batches'], ['/promotions/auto-alpha-1', 'asked for'], ['/changes', 'prod-na'], ['/trace?of=web@1', 'machines have it']],
    'of the fleet': [['/targets', 'env=alpha'], ['/targets/alpha-1', 'as wanted'], ['/swarm?revision=web@1', 'hold every chunk'], ['/deployments/alpha-1/receipt', 'Target by target'], ['/calendar', 'No window holds it'], ['/audit', 'in full'], ['/settings', 'development keys']],
  } as const;

  test.each(Object.entries(screens))('has no obstacles on any screen %s, and contrast enough in the dark', async (_, places) => {
    const { page } = await signedIn({ bypassCSP: true });
    const found: unknown[] = [];
    for (const [path, text] of places) {
      await page.goto(fleet.control.url + path);
      await page.getByText(text).first().waitFor();
      await page.getByText('live', { exact: true }).waitFor();
      await page.emulateMedia({ colorScheme: 'light' });
      const light = await obstacles(page);
      await page.emulateMedia({ colorScheme: 'dark' });
      found.push(...[...light, ...(await obstacles(page, ['color-contrast']))].map((one) => ({ path, ...one })));
    }
    expect(found).toEqual([]);
  });

  test('W2 what people, commits and machines say stays text: two hundred ways to make it more, and nothing runs', async () => {
    const { page, complaints } = await signedIn();
    const changes = hostileTexts.map((text, at) => ({ commit: `${at}`.padStart(40, 'c'), author: text.slice(0, 256), message: text, checkedInAt: Date.now() }));
    await fleet.control.post('/v1/apps/web/revisions/latest/describe', { changes });
    for (let at = 0; at < hostileTexts.length; at += 20) {
      await Promise.all(hostileTexts.slice(at, at + 20).map(async (text) => await fleet.control.post('/v1/locks', { scope: { kind: 'environment', id: 'prod-eu' }, reason: text })));
    }
    await fleet.control.post('/v1/freezes', { scope: { kind: 'all' }, reason: hostileTexts.slice(0, 10).join(' ') });
    await page.goto(`${fleet.control.url}/pipelines/storefront?environment=prod-eu`);
    await page.getByText('Frozen: everything').waitFor();
    const newest = page.locator('.locks li').first();
    await newest.waitFor();
    expect(hostileTexts).toContain(await newest.locator('strong').innerText());
    await page.getByRole('rowheader').first().waitFor();
    await page.goto(`${fleet.control.url}/approvals`);
    await page.getByText('live', { exact: true }).waitFor();
    expect({ pwned: await page.evaluate('window.pwned'), complaints }).toEqual({ pwned: undefined, complaints: [] });
  });
});
